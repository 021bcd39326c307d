"""The converter's command line: `python convert.py`.

Knows exit statuses and the order of a run. What is heavy is imported where it is used,
so that `--help` and wrong usage answer at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..cli.interrupts import asks_first
from ..cli.statuses import FAILED, INTERRUPTED, error_line, leave_output
from ..errors import Cancelled
from ..progress import ShouldStop
from .arguments import Wishes, parse

if TYPE_CHECKING:
    from .dry_run import Assessment
    from .plan import Plan
    from .terminal import Terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, 0 after --help.
    """
    wishes = parse(argv)
    from .terminal import Terminal

    terminal = Terminal()
    try:
        with asks_first(lambda: None) as pressed:
            return _run(wishes, terminal, pressed)
    except (Cancelled, KeyboardInterrupt):
        terminal.note("stopped; the same command goes on where this one stopped")
        return INTERRUPTED
    except BrokenPipeError:
        return leave_output()
    except Exception as error:
        terminal.note(error_line(error))
        return FAILED


def _run(wishes: Wishes, terminal: Terminal, should_stop: ShouldStop) -> int:
    if wishes.list_recipes:
        return _list_recipes(wishes, terminal)
    if wishes.source is None:
        return _verify(wishes, None, terminal, should_stop)
    if wishes.verify and not wishes.overwrite and _is_finished(Path(wishes.target)):
        return _verify(wishes, wishes.source, terminal, should_stop)
    assessment = _assess(wishes, wishes.source, should_stop)
    if wishes.dry_run:
        from ..memory import this_machine
        from .dry_run import assessment_lines

        terminal.lines(assessment_lines(assessment, this_machine()))
        assessment.check_disks()
        return 0
    if not wishes.fetch_by_shard:  # which counts what lies there already
        assessment.check_disks()
    _say_what_fits(assessment, terminal)
    _convert(wishes, wishes.source, terminal, should_stop)
    if wishes.verify:
        return _verify(wishes, wishes.source, terminal, should_stop)
    return 0


def _list_recipes(wishes: Wishes, terminal: Terminal) -> int:
    from .recipe_table import recipe_lines, released

    if wishes.source is None:
        terminal.lines(recipe_lines(released(), "GLM-4.5V"))
        return 0
    from .lookup import look_at

    seen = look_at(wishes.source, revision=wishes.revision)
    terminal.lines(recipe_lines(seen.config, wishes.source))
    return 0


def _assess(wishes: Wishes, source: str, should_stop: ShouldStop) -> Assessment:
    from .dry_run import assess

    return assess(
        source,
        wishes.target,
        recipe=wishes.recipe,
        search=wishes.search,
        dtype=wishes.dtype,
        dequantize=wishes.dequantize,
        revision=wishes.revision,
        by_shard=wishes.fetch_by_shard,
        overwrite=wishes.overwrite,
        should_stop=should_stop,
    )


def _say_what_fits(assessment: Assessment, terminal: Terminal) -> None:
    """Hours of work for a model that this Mac cannot run should be no surprise."""
    from ..memory import METAL, this_machine
    from ..memory.fitting import verdict
    from ..memory.report import verdict_line

    machine = this_machine()
    if machine.backend != METAL:
        return
    footprint = assessment.footprint
    found = verdict(footprint, machine)
    if found.fits != "yes":
        terminal.note(f"note: {verdict_line(found, footprint)}")


def _convert(
    wishes: Wishes, source: str, terminal: Terminal, should_stop: ShouldStop
) -> None:
    from .pipeline import convert

    target = Path(wishes.target).expanduser()
    began = time.monotonic()
    if wishes.fetch_by_shard:
        from .fetching import convert_by_shard

        summary = convert_by_shard(
            source,
            target,
            recipe=wishes.recipe,
            search=wishes.search,
            dtype=wishes.dtype,
            dequantize=wishes.dequantize,
            overwrite=wishes.overwrite,
            revision=wishes.revision,
            announce=lambda needs: terminal.note(str(needs)),
            progress=terminal.progress,
            should_stop=should_stop,
        )
    else:
        summary = convert(
            source,
            target,
            recipe=wishes.recipe,
            search=wishes.search,
            dtype=wishes.dtype,
            dequantize=wishes.dequantize,
            overwrite=wishes.overwrite,
            revision=wishes.revision,
            progress=terminal.progress,
            should_stop=should_stop,
        )
    terminal.summary(summary, time.monotonic() - began)


def _is_finished(target: Path) -> bool:
    """Whether a conversion ran to its end in a folder: it writes that file last."""
    from .beside import CHECKSUMS_NAME
    from .journal import JOURNAL_NAME

    target = target.expanduser()
    return (target / CHECKSUMS_NAME).is_file() and not (target / JOURNAL_NAME).exists()


def _verify(
    wishes: Wishes, source: str | None, terminal: Terminal, should_stop: ShouldStop
) -> int:
    from .verify import verification_lines, verify

    found = verify(
        wishes.target,
        None if source is None else _plan_again(wishes, source, terminal),
        progress=terminal.progress,
        should_stop=should_stop,
    )
    terminal.lines(verification_lines(found))
    for problem in found.problems:
        terminal.note(f"off: {problem}")
    if found.problems:
        count = len(found.problems)
        what = "one thing is" if count == 1 else f"{count} things are"
        terminal.note(f"error: {what} off in {found.folder}")
        return FAILED
    terminal.lines(["everything is as it was written"])
    return 0


def _plan_again(wishes: Wishes, source: str, terminal: Terminal) -> Plan | None:
    """The plan of the same conversion, None where the source is not here any more."""
    from ..checkpoints import read_checkpoint
    from .lookup import local_folder
    from .pipeline import plan_conversion

    folder = local_folder(source, revision=wishes.revision)
    if folder is None:
        terminal.note(f"{source} is not on this machine (any more): not compared")
        return None
    return plan_conversion(
        read_checkpoint(folder),
        recipe=wishes.recipe,
        search=wishes.search,
        dtype=wishes.dtype,
        dequantize=wishes.dequantize,
    )
