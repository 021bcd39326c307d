"""One thread for work that is too slow for the GUI thread: imports, LaTeX, lexers."""

from __future__ import annotations

import sys
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, QThreadPool, Signal

_SWITCH = 0.0005  # seconds
_PATIENCE = 200  # milliseconds

Work = Callable[[], object]
Then = Callable[[object], None]


class Background(QObject):
    """Runs functions of plain values elsewhere and hands their results back here."""

    _done = Signal(object, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._open = True
        # Both threads share Python's lock. At the usual 5 ms, each call into Qt could
        # cost the GUI thread that long while the other one draws formulas.
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH))
        # Queued, since it is emitted in the other thread.
        self._done.connect(self._deliver)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    def run(self, work: Work, then: Then) -> None:
        """Call `work` in the other thread and `then`, with its result, in this one."""
        if self._open:
            self._pool.start(lambda: self._done.emit(then, work()))

    def close(self) -> None:
        """Forget what waits; what runs is waited for a moment, then left alone."""
        self._open = False
        self._pool.clear()
        self._pool.waitForDone(_PATIENCE)

    def _deliver(self, then: Then, result: object) -> None:
        if self._open:
            then(result)
