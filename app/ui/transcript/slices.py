"""Long work in the GUI thread, a slice at a time.

Work is an iterator that does a step at each `next`. Slices of at most 12 ms leave the
event loop free between them; what the reader sees is put in front.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer

SLICE = 0.012


class Slices(QObject):
    """Runs iterators to their ends, in order, whenever the event loop is idle."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[Iterator[object]] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._slice)

    @property
    def busy(self) -> bool:
        """Whether work is left."""
        return bool(self._waiting)

    def add(self, work: Iterator[object], *, first: bool = False) -> None:
        """Do this work too, before all other if `first`."""
        if first:
            self._waiting.appendleft(work)
        else:
            self._waiting.append(work)
        self._timer.start()

    def clear(self) -> None:
        """Forget what is left."""
        self._waiting.clear()
        self._timer.stop()

    def run(self, seconds: float) -> None:
        """Work now, for at most so long but for the last step."""
        end = time.perf_counter() + seconds
        while self._waiting and time.perf_counter() < end:
            work = self._waiting[0]
            for _ in work:
                if time.perf_counter() >= end:
                    break
            else:
                # A step may have put other work in front, or cleared it all.
                if work in self._waiting:
                    self._waiting.remove(work)
        if not self._waiting:
            self._timer.stop()

    def _slice(self) -> None:
        self.run(SLICE)
