"""How far a batch has come, as a line: a bar, a rate, the time left.

Knows counts and clocks. Does not know lines or models.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable

from mlx_glm45v.cli.terminal import Terminal
from mlx_glm45v.conversion.terminal import duration

_REDRAW_SECONDS = 0.1
# A file that standard error goes to gets a line now and then.
_LINE_SECONDS = 30.0
# Rates are of this stretch: reading pictures and answering take turns.
_RATE_SECONDS = 60.0
_SETTLED_SECONDS = 1.0
_BAR = 24


class BatchBar:
    """The line of one run over `total` lines, `before` of them done earlier.

    `clock` gives seconds; `columns` the width of the terminal.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        total: int,
        before: int,
        clock: Callable[[], float] = time.monotonic,
        columns: int | None = None,
    ) -> None:
        self._terminal = terminal
        self._total = total
        self._before = before
        self._clock = clock
        self._columns = columns
        self._drawn = self._started = clock()
        # (seconds, lines, tokens) of the last minute, the oldest first.
        self._recent = deque([(self._started, 0, 0)])

    def show(self, done: int, tokens: int) -> None:
        """`done` lines and `tokens` of this run; drawn ten times a second at most."""
        now = self._clock()
        wait = _REDRAW_SECONDS if self._terminal.lively else _LINE_SECONDS
        if now - self._drawn < wait:
            return
        self._drawn = now
        self._recent.append((now, done, tokens))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RATE_SECONDS:
            self._recent.popleft()
        if self._terminal.lively:
            width = self._columns or shutil.get_terminal_size().columns
            self._terminal.progress(self._line(done, bar=True)[: width - 1])
        else:
            self._terminal.note(self._line(done, bar=False))

    def summary(self, answered: int, failed: int, tokens: int) -> str:
        """What this run did, and how fast."""
        seconds = self._clock() - self._started
        words = [f"{_counted(answered, 'line')} answered in {duration(seconds)}"]
        if failed:
            words.insert(1, f"{failed} failed")
        if answered and seconds > 0:
            words += [_rate(answered / seconds), f"{tokens / seconds:,.0f} tokens/s"]
        return ", ".join(words)

    def _line(self, done: int, *, bar: bool) -> str:
        whole = self._before + done
        words = [f"{whole:,} of {self._total:,} lines"]
        (then, had, had_tokens), (now, has, tokens) = self._recent[0], self._recent[-1]
        seconds = now - then
        if seconds >= _SETTLED_SECONDS:
            rate = (has - had) / seconds
            left = [f"{duration((self._total - whole) / rate)} left"] if rate else []
            words += [_rate(rate)] if rate else []
            words += [f"{(tokens - had_tokens) / seconds:,.0f} tokens/s", *left]
        drawn = ""
        if bar:
            filled = _BAR * whole // max(1, self._total)
            drawn = f"[{'#' * filled}{'-' * (_BAR - filled)}] "
        return drawn + "  ".join(words)


def _rate(a_second: float) -> str:
    if a_second >= 1:
        return f"{a_second:,.1f} lines/s"
    return f"{a_second * 60:,.1f} lines/min"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
