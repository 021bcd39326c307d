"""What nobody expected: into the log, and told to the person once.

An error in a slot or a thread leaves the app running; what it was about is not done.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import TracebackType

from PySide6.QtCore import QObject, Signal

from .paths import log_file

# An error that a picture's every repaint makes anew fills no disk.
_MOST_ALIKE = 3
_MOST_LOGGED = 100


def log_native_crashes() -> None:
    """A crash below Python leaves its stack in the log. For a process's whole life."""
    with suppress(OSError):
        faulthandler.enable(log_file().open("ab"))


class Faults(QObject):
    """Hears of errors that nothing caught, from any thread; `told` comes once."""

    told = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._said = False
        self._logged: Counter[str] = Counter()
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._caught
        threading.excepthook = self._caught_in_thread

    def tell(self, say: Callable[[str], object]) -> None:
        """Connect `told`, and say what was told before anybody could hear it."""
        self.told.connect(say)
        if self._said:
            self.told.emit(self._words())

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
        place = traceback.extract_tb(trace)[-1:]
        alike = f"{kind} {[(frame.filename, frame.lineno) for frame in place]}"
        if self._logged[alike] < _MOST_ALIKE and self._logged.total() < _MOST_LOGGED:
            self._logged[alike] += 1
            _log("".join(traceback.format_exception(kind, error, trace)))
        if not self._said:
            self._said = True
            self.told.emit(self._words())

    def _words(self) -> str:
        return self.tr(
            "Something went wrong inside the app; what you wrote is kept. If it acts "
            "strangely, start it again."
        )


def _log(lines: str) -> None:
    """Neither a full disk nor a closed pipe makes it worse."""
    with suppress(OSError, ValueError):
        print(lines, file=sys.stderr)
    with suppress(OSError), log_file().open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now().astimezone().isoformat()}\n{lines}\n")
