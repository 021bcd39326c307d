"""The window's end of a link to a child process: JSON objects, one a line.

Knows how a child is started, read and ended. Does not know what is said. Nothing here
waits: closing kills, and the system takes its time alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QProcess, Signal

from ..paths import log_file
from .child import parse_line

_TAIL_LINES = 40
_LARGEST_LOG = 4 * 2**20


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    `exit_code` is its status, or the signal's number where it `crashed`; -1 where it
    could not be started. `tail` are its last lines of standard error.
    """

    exit_code: int
    crashed: bool
    tail: tuple[str, ...]


def own_program() -> tuple[str, ...]:
    """The command that starts this app's main module once more.

    In a bundled app `sys.executable` is the app itself. Briefcase's executable
    (`main.m` of its macOS Xcode template) reads no options: it runs the bundle's main
    module and hands every argument on, which finds its own behind these two.
    """
    package = __name__.partition(".")[0]
    return sys.executable, "-m", package


class _Child(QProcess):
    """A process that the end of the app does not wait for."""

    def let_go(self) -> None:
        """Kill it; it is the system's to bury."""
        self.kill()
        # A QProcess that still runs is waited for, up to 30 s, when it is deleted. A
        # model's memory may take seconds to be free.
        self.setProcessState(QProcess.ProcessState.NotRunning)


class JsonProcess(QObject):
    """One child process. Its owner is `parent`, and it dies with either.

    `arguments` follow `program`, by default this app's own main module. `ended` comes
    once, after everything that was `received`.
    """

    started = Signal()
    received = Signal(object)  # dict
    ended = Signal(object)  # Ended

    def __init__(
        self,
        arguments: Sequence[str],
        parent: QObject,
        *,
        program: Sequence[str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._command = (*(own_program() if program is None else program), *arguments)
        self._line = bytearray()
        self._tail: list[str] = []
        self._words = bytearray()
        self._over = False
        # It is the app's and not ours: after a kill it may be there longer than we are.
        app = QCoreApplication.instance()
        assert app is not None
        self._process = process = _Child(app)
        app.aboutToQuit.connect(process.let_go)
        process.finished.connect(process.deleteLater)
        self.destroyed.connect(process.kill)
        process.started.connect(self.started)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_words)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._went_wrong)

    @property
    def process_id(self) -> int:
        """The child's number, 0 while there is none."""
        return 0 if self._over else self._process.processId()

    def start(self) -> None:
        """Start it; what is sent from now on will reach it."""
        _keep_log_small()
        self._process.start(self._command[0], list(self._command[1:]))

    def send(self, message: Mapping[str, Any]) -> None:
        """One object to the child; nothing when it has ended."""
        if self._over or self._process.state() == QProcess.ProcessState.NotRunning:
            return
        line = json.dumps(message, separators=(",", ":")) + "\n"
        self._process.write(line.encode())

    def kill(self) -> None:
        """End it at once. `ended` follows, unless its owner deletes this first."""
        if not self._over:
            self._process.kill()

    def _read(self) -> None:
        *lines, rest = bytes(self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            self._take(bytes(self._line + line))
            self._line.clear()
        self._line += rest

    def _take(self, line: bytes) -> None:
        message = parse_line(line)
        if message is not None:
            self.received.emit(message)
        elif line.strip():
            self._note(b"not understood: " + line[:200] + b"\n")

    def _read_words(self) -> None:
        self._note(bytes(self._process.readAllStandardError().data()))

    def _note(self, words: bytes) -> None:
        *lines, rest = bytes(self._words + words).split(b"\n")
        self._words = bytearray(rest)
        self._tail += [line.decode(errors="replace") for line in lines]
        del self._tail[:-_TAIL_LINES]
        _append_to_log(words)

    def _went_wrong(self, error: QProcess.ProcessError) -> None:
        # Every other error is followed by `finished`.
        if error == QProcess.ProcessError.FailedToStart:
            self._note(f"{self._process.errorString()}\n".encode())
            self._process.deleteLater()
            self._end(-1, crashed=True)

    def _finished(self, exit_code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        self._read_words()
        if self._words:
            self._note(b"\n")
        self._end(exit_code, crashed=status == QProcess.ExitStatus.CrashExit)

    def _end(self, exit_code: int, *, crashed: bool) -> None:
        self._over = True
        self.ended.emit(Ended(exit_code, crashed, tuple(self._tail)))


def _append_to_log(words: bytes) -> None:
    """A log that cannot be written, on a full disk say, stops nothing."""
    try:
        with log_file().open("ab") as log:
            log.write(words)
    except OSError:
        return


def _keep_log_small() -> None:
    """One older log is kept."""
    try:
        log = log_file()
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            os.replace(log, log.with_suffix(".old.txt"))
    except OSError:
        return
