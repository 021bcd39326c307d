"""A child process that speaks JSON lines, seen from Qt.

Knows how the app starts itself again and how lines become objects. Does not know what
they say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, QProcess, Signal

_TAIL_BYTES = 4000


@dataclass(frozen=True)
class Ending:
    """How a child ended; `tail` is the last it wrote to standard error."""

    code: int
    crashed: bool
    tail: str


class JsonProcess(QObject):
    """One child. It ends with its owner, and is never waited for but on `kill`."""

    received = Signal(object)  # dict
    ended = Signal(object)  # Ending

    def __init__(self, arguments: Sequence[str], parent: QObject) -> None:
        """`arguments` are those of the app's own main module."""
        super().__init__(parent)
        package = __package__.rpartition(".")[0]
        self._command = [sys.executable, "-m", package, *arguments]
        self._tail = b""
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)

    def start(self) -> None:
        """Start the child; what is sent before it runs is kept for it."""
        self._process.start(self._command[0], self._command[1:])

    def send(self, message: dict[str, object]) -> None:
        """Say something to the child."""
        self._process.write((json.dumps(message) + "\n").encode())

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        self._process.waitForFinished(2000)

    def _read(self) -> None:
        while self._process.canReadLine():
            self.received.emit(json.loads(self._process.readLine().data()))

    def _read_errors(self) -> None:
        errors = self._process.readAllStandardError().data()
        self._tail = (self._tail + errors)[-_TAIL_BYTES:]

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        self._read_errors()
        crashed = status == QProcess.ExitStatus.CrashExit
        self.ended.emit(Ending(code, crashed, self._tail.decode(errors="replace")))

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.ended.emit(Ending(-1, True, self._process.errorString()))
