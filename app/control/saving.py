"""A picture with its boxes, written at the picture's own size, away from the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal
from PySide6.QtGui import QImage, QImageReader

from ..conversation import Box
from ..ui.annotated import Ink, annotated


class PictureSaving(QObject):
    """Draws and writes in a thread; says how it went."""

    saved = Signal(str)
    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)

    def save(
        self,
        file: Path | None,
        shown: QImage,
        boxes: Sequence[Box],
        ink: Ink,
        target: Path,
    ) -> None:
        """Write `target` from the picture's `file`, or from what is `shown` of it.

        A video's frame and a document's page have no file of their own, and some
        formats are not Qt's: there it is as large as it is shown.
        """
        self._pool.start(lambda: self._save(file, shown, tuple(boxes), ink, target))

    def _save(
        self,
        file: Path | None,
        shown: QImage,
        boxes: tuple[Box, ...],
        ink: Ink,
        target: Path,
    ) -> None:
        picture = _read(file) if file is not None else QImage()
        if picture.isNull():
            picture = shown
        if annotated(picture, boxes, ink).save(str(target)):
            self.saved.emit(str(target))
        else:
            self.failed.emit(str(target))


def _read(file: Path) -> QImage:
    reader = QImageReader(str(file))
    reader.setAutoTransform(True)
    reader.setDecideFormatFromContent(True)
    reader.setAllocationLimit(0)
    return reader.read()
