"""Python's garbage, collected by the window's thread between two events.

Python collects in whatever thread allocates when a limit is reached, and in the middle
of it. Qt's objects must not end in another thread, nor while Qt goes through a list in
which they still stand: both crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_INTERVAL = 500  # ms


class GarbageCollector(QObject):
    """Collects in the thread it lives in, and nobody else does until `stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self, interval=_INTERVAL)
        self._timer.timeout.connect(self.collect)
        gc.disable()
        self._timer.start()

    def collect(self) -> None:
        """Collect the oldest generation that Python would look through by now."""
        counts, limits = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > limits[generation]:
                gc.collect(generation)
                return

    def stop(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        gc.enable()
