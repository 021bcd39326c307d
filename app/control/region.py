"""A picture of a region of the screen, chosen with the mouse: macOS's own tool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QObject, QProcess, Signal

_COMMAND = ("screencapture", "-i")


class ScreenRegion(QObject):
    """Runs the tool; `command` gets the path of a PNG file as its last argument."""

    taken = Signal(bytes)

    def __init__(self, parent: QObject, command: Sequence[str] = _COMMAND) -> None:
        super().__init__(parent)
        self._command = tuple(command)
        self._folder: TemporaryDirectory[str] | None = None
        self._process = QProcess(self)
        self._process.finished.connect(self._finished)

    def take(self) -> None:
        """Let the person choose; nothing where they are choosing already."""
        if self._process.state() != QProcess.ProcessState.NotRunning:
            return
        self._folder = TemporaryDirectory()
        program, *words = self._command
        self._process.start(program, [*words, str(self._file(self._folder))])

    def _finished(self) -> None:
        folder, self._folder = self._folder, None
        if folder is None:
            return
        with folder:
            file = self._file(folder)
            # There is none where the person pressed Esc.
            data = file.read_bytes() if file.exists() else b""
        if data:
            self.taken.emit(data)

    def _file(self, folder: TemporaryDirectory[str]) -> Path:
        return Path(folder.name) / "region.png"
