"""The log, shown in the system's own program for texts."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from ..paths import log_file


def show_log() -> None:
    """Open it, made where nothing was written yet."""
    path = log_file()
    path.touch()
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
