"""What a person sees of a conversion: one bar over bytes, notes, a summary.

Knows streams, clocks and words. Does not know files or arguments.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from ..memory.sizes import gigabytes
from ..progress import Progress

if TYPE_CHECKING:
    from .pipeline import ConversionSummary

_CLEAR_LINE = "\r\x1b[K"
_VERBS = {
    "download": "fetching",
    "convert": "converting",
    "verify": "checking",
    "load": "loading",
}
_REDRAW_SECONDS = 0.1
# A file that standard error goes to gets a line now and then.
_LINE_SECONDS = 30.0
# Rates are of this stretch: resuming jumps ahead, disks and lines get slower.
_RATE_SECONDS = 30.0
_SETTLED_SECONDS = 1.0
_LONGEST_BAR = 30


@dataclass
class _Drawn:
    """(seconds, bytes done) of a bar's last half minute, the oldest first."""

    recent: deque[tuple[float, int]] = field(default_factory=deque)
    complete: bool = False

    def note(self, now: float, done: int) -> None:
        self.recent.append((now, done))
        while len(self.recent) > 2 and now - self.recent[0][0] > _RATE_SECONDS:
            self.recent.popleft()

    def rate(self) -> float:
        """Bytes a second, 0.0 before that can be told."""
        (before, had), (now, done) = self.recent[0], self.recent[-1]
        if now - before < _SETTLED_SECONDS:
            return 0.0
        return (done - had) / (now - before)


class Terminal:
    """Results on standard output, everything else on standard error.

    `clock` gives seconds; `columns` the width of the line.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        columns: int | None = None,
    ) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._clock = clock
        self._columns = columns
        self._lively = self._err.isatty()
        self._has_bar = False
        self._shown = clock()
        # What was drawn of each bar, by stage and total: fetching and converting may
        # take turns.
        self._drawn: dict[tuple[str, int], _Drawn] = {}

    def progress(self, progress: Progress) -> None:
        """Draw the bar anew, ten times a second at most; whole ones always once."""
        now = self._clock()
        bar = (progress.stage, progress.total)
        is_new = bar not in self._drawn
        drawn = self._drawn.setdefault(bar, _Drawn())
        if is_new:
            drawn.note(now, progress.done)
        complete = progress.done >= progress.total
        at_once = self._lively and (is_new or (complete and not drawn.complete))
        wait = _REDRAW_SECONDS if self._lively else _LINE_SECONDS
        if now - self._shown < wait and not at_once:
            return
        self._shown, drawn.complete = now, complete
        drawn.note(now, progress.done)
        if not self._lively:
            print(_line(progress, drawn, 0), file=self._err, flush=True)
            return
        width = self._columns or shutil.get_terminal_size().columns
        self._err.write(_CLEAR_LINE + _line(progress, drawn, width - 1))
        self._err.flush()
        self._has_bar = True

    def note(self, text: str) -> None:
        """A line beside the result."""
        self._clear()
        print(text, file=self._err, flush=True)

    def lines(self, lines: Iterable[str]) -> None:
        """A result, a line at a time."""
        self._clear()
        for line in lines:
            print(line, file=self._out, flush=True)

    def summary(self, summary: ConversionSummary, seconds: float) -> None:
        """What was written, from how much, and how to use it."""
        how = "not quantised" if summary.recipe is None else f"recipe {summary.recipe}"
        count = len(summary.files)
        files = f"{count} weight file{'s' if count > 1 else ''}"
        said = [
            f"{summary.folder}: {gigabytes(summary.nbytes)} in {files}, "
            f"{summary.bits_per_weight:.2f} bits per weight ({how}, {summary.dtype})"
        ]
        rate = summary.bytes_read / seconds if seconds > 0 else 0.0
        read = f"read {gigabytes(summary.bytes_read)} in {duration(seconds)}"
        if seconds >= _SETTLED_SECONDS:
            read += f" ({gigabytes(int(rate))}/s)"
        if summary.bytes_kept:
            read += f"; an earlier run had dealt with {gigabytes(summary.bytes_kept)}"
        said.append(read)
        if summary.dropped:
            said.append(
                f"left out {len(summary.dropped)} tensors that belong to no layer of "
                f"the model, such as {summary.dropped[0]}"
            )
        said.append(
            "try it: python -m mlx_glm45v.generate --model "
            f"{shlex.quote(str(summary.folder))} --chat"
        )
        self.lines(said)

    def _clear(self) -> None:
        if self._has_bar:
            self._err.write(_CLEAR_LINE)
            self._err.flush()
            self._has_bar = False


def _line(progress: Progress, drawn: _Drawn, width: int) -> str:
    """`converting [##--]  38%  81.2 of 215.4 GB  412 MB/s  5 min left  layer 17`.

    Cut to `width`, if that is not 0; the bar takes what is left of it.
    """
    share = progress.done / progress.total if progress.total else 1.0
    unit, size = ("GB", 1e9) if progress.total >= 1e8 else ("MB", 1e6)
    words = [
        f"{int(share * 100):3}%",
        f"{progress.done / size:,.1f} of {progress.total / size:,.1f} {unit}",
    ]
    if rate := drawn.rate():
        left = (progress.total - progress.done) / rate
        words += [f"{rate / 1e6:,.0f} MB/s", f"{duration(left)} left"]
    words.append(progress.item)
    verb, rest = _VERBS[progress.stage], "  ".join(words)
    if not width:
        return f"{verb} {rest}"
    room = min(_LONGEST_BAR, width - len(verb) - len(rest) - 4)
    bar = ""
    if room >= 5:
        filled = int(share * room)
        bar = f"[{'#' * filled}{'-' * (room - filled)}] "
    return f"{verb} {bar}{rest}"[:width]


def duration(seconds: float) -> str:
    """`40 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
