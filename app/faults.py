"""What nobody expected: into the log, and told to the person once.

An error in a slot or a thread leaves the app running; what it was about is not done.
"""

from __future__ import annotations

import sys
import threading
import traceback
from datetime import datetime
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from .paths import log_file


class Faults(QObject):
    """Hears of errors that nothing caught, from any thread; `told` comes once."""

    told = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._said = False
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._caught
        threading.excepthook = self._caught_in_thread

    def close(self) -> None:
        """Leave errors to Python again."""
        sys.excepthook, threading.excepthook = self._before

    def _caught_in_thread(self, found: threading.ExceptHookArgs) -> None:
        if found.exc_type is not SystemExit and found.exc_value is not None:
            self._caught(found.exc_type, found.exc_value, found.exc_traceback)

    def _caught(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._before[0](kind, error, trace)
            return
        lines = "".join(traceback.format_exception(kind, error, trace))
        print(lines, file=sys.stderr)
        try:
            with log_file().open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now().astimezone().isoformat()}\n{lines}\n")
        except OSError:
            pass  # a full disk, say: it stands on standard error
        if not self._said:
            self._said = True
            self.told.emit(
                self.tr(
                    "Something went wrong inside the app; what you wrote is kept. If "
                    "it acts strangely, start it again."
                )
            )
