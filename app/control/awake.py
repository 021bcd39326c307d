"""Keeps the machine awake while it works: macOS's `caffeinate`, as a child.

Knows reasons, not what they are about. Where there is no such tool nothing happens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from PySide6.QtCore import QObject, QProcess

# -i: no idle sleep; -w: until this process is gone, however it ends.
_COMMAND = ("caffeinate", "-i", "-w") if sys.platform == "darwin" else ()
_MOMENT = 200  # ms


class Awake(QObject):
    """One child while there is a reason; `command` gets the app's number at its end."""

    def __init__(self, parent: QObject, command: Sequence[str] = _COMMAND) -> None:
        super().__init__(parent)
        self._command = tuple(command)
        self._reasons: set[str] = set()
        self._process: QProcess | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the machine is being kept awake."""
        return self._process is not None

    def set_working(self, reason: str, on: bool) -> None:
        """Something works, or has ended."""
        if on:
            self._reasons.add(reason)
        else:
            self._reasons.discard(reason)
        if bool(self._reasons) != self.is_kept and self._command:
            if self._reasons:
                self._begin()
            else:
                self.close()

    def close(self) -> None:
        """Let it sleep."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            # A moment: the tool holds nothing. The app may end right after this.
            process.waitForFinished(_MOMENT)
            process.deleteLater()

    def _begin(self) -> None:
        self._process = QProcess(self)
        program, *words = self._command
        self._process.start(program, [*words, str(os.getpid())])
