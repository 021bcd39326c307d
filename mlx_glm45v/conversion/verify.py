"""`--verify`: everything that can be told about a converted folder, in one report.

Knows the order: headers, checksums, what the same command would write, the numbers
beside the source's, one short answer. Each step needs the ones before it to be well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints import Checkpoint, read_checkpoint
from ..errors import Cancelled, CheckpointError, NotEnoughMemory
from ..memory.sizes import gigabytes
from ..progress import Progress, ProgressCallback, ShouldStop
from .checks import (
    check_against_plan,
    check_checksums,
    check_presence,
    check_shapes,
)
from .comparison import Comparison, Misplaced, Part
from .plan import Plan
from .trial import QUESTION, Answer, short_answer

_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Verification:
    """What was found. `problems` name file and tensor; empty: all is well.

    `parts` are empty where no source was there to compare with, `answer` is None where
    none was given; `notes` say why.
    """

    folder: Path
    files: int
    arrays: int
    nbytes: int
    problems: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    answer: Answer | None = None
    notes: tuple[str, ...] = ()


def verify(
    folder: str | Path,
    plan: Plan | None = None,
    *,
    generate: bool = True,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> Verification:
    """Check a folder that a conversion wrote.

    With the `plan` of the same conversion, whose source is still there, the folder is
    also compared with what would be written and with the source's numbers. `generate`
    asks the model once, where it fits this machine. `progress` gets bytes read. Raises
    `CheckpointError` for a source that cannot be read any more, and `Cancelled`; what
    is wrong with the folder is in the result.
    """
    folder = Path(folder).expanduser()
    try:
        output = read_checkpoint(folder)
    except CheckpointError as error:
        missing = check_presence(folder)
        return Verification(folder, 0, 0, 0, (str(error), *missing))
    problems = [*check_shapes(output)]
    notes: list[str] = []
    comparison = None
    if plan is None:
        notes.append("no source to compare with: only the folder itself was checked")
    elif not problems:
        problems += check_against_plan(folder, plan)
        comparison = Comparison(plan, output)
    total = output.nbytes + (comparison.nbytes if comparison else 0)
    advance = _advance(total, progress, should_stop)
    problems += check_checksums(output, advance=advance)
    if comparison is not None:
        comparison.run(advance=advance)
        problems += map(_described, comparison.misplaced)
    answer = None
    if generate and not problems:
        answer = _ask(output, notes, progress, should_stop)
        if answer is not None and not answer.text:
            problems.append(f"{folder}: the model answers {QUESTION!r} with nothing")
    return Verification(
        folder=folder,
        files=len({info.file for info in output.tensors.values()}),
        arrays=len(output.tensors),
        nbytes=output.nbytes,
        problems=tuple(problems),
        parts=comparison.parts if comparison else (),
        answer=answer,
        notes=tuple(notes),
    )


def _ask(
    output: Checkpoint,
    notes: list[str],
    progress: ProgressCallback | None,
    should_stop: ShouldStop | None,
) -> Answer | None:
    if not (output.folder / _TOKENIZER).is_file():
        notes.append(f"not asked anything: the folder has no {_TOKENIZER}")
        return None
    try:
        return short_answer(output.folder, progress=progress, should_stop=should_stop)
    except NotEnoughMemory as error:
        notes.append(f"not asked anything: {str(error).splitlines()[0]}")
        return None


def _advance(
    total: int, progress: ProgressCallback | None, should_stop: ShouldStop | None
) -> Callable[[int, str], None]:
    done = 0

    def advance(nbytes: int, item: str) -> None:
        nonlocal done
        done += nbytes
        if progress is not None:
            progress(Progress("verify", done, total, item))
        if should_stop is not None and should_stop():
            raise Cancelled(f"checking was stopped after {done} of {total} bytes")

    return advance


def _described(rows: Misplaced) -> str:
    which = f", expert {rows.expert}," if rows.expert is not None else ""
    return (
        f"{rows.file}: {rows.key}{which} is off by {rows.error:.1%} from "
        f"{rows.source}, its format explains {rows.allowed:.1%}; convert again with "
        "--overwrite"
    )


def verification_lines(found: Verification) -> Iterator[str]:
    """The report as a table, a line at a time; the problems are not in it."""
    yield (
        f"{found.folder}: {found.arrays:,} arrays in {found.files} weight "
        f"file{'' if found.files == 1 else 's'}, {gigabytes(found.nbytes)}"
    )
    if found.parts:
        yield f"{'part':<12} {'weights':>15}  {'stored as':<32} {'error':>8}"
    for part in found.parts:
        yield (
            f"{part.kind.replace('_', ' '):<12} {part.count:>15,}  "
            f"{_stored_as(part):<32} {part.error:>8.3%}"
        )
    yield from found.notes
    if found.answer is not None:
        yield (
            f"{QUESTION} {found.answer.text} "
            f"({found.answer.tokens_per_second:.1f} tokens/s)"
        )


def _stored_as(part: Part) -> str:
    if part.scheme is None:
        return part.dtype
    scheme = part.scheme
    return f"{scheme.bits} bit {scheme.mode}, groups of {scheme.group_size}"
