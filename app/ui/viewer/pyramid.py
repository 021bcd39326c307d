"""A large picture and its halves, so that every zoom paints few pixels. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPainter

# Halves are made down to this longer side.
_SMALLEST = 480
# Rows that are made at a time.
_BAND = 128


@dataclass(frozen=True)
class Pyramid:
    """The same picture in sizes that fall by half, the largest first."""

    levels: tuple[QImage, ...]

    @property
    def size(self) -> QSize:
        """The largest one's."""
        return self.levels[0].size()

    def level_for(self, width: float) -> QImage:
        """The smallest that has at least `width` pixels across, else the largest."""
        for level in reversed(self.levels):
            if level.width() >= width:
                return level
        return self.levels[0]


def read_pyramid(path: Path) -> Pyramid | None:
    """Read a picture and halve it, away from the GUI thread; None if it is no more."""
    picture = QImageReader(str(path)).read()
    if picture.isNull():
        return None
    if picture.format() != QImage.Format.Format_RGB32:  # 8 bits of grey, say
        picture = picture.convertToFormat(QImage.Format.Format_RGB32)
    levels = [picture]
    while max(levels[-1].width(), levels[-1].height()) > _SMALLEST:
        levels.append(_half(levels[-1]))
    return Pyramid(tuple(levels))


def _half(picture: QImage) -> QImage:
    """Half as wide and high, in bands: scaling holds Python's lock all the while."""
    width, height = picture.width(), picture.height()
    half = QImage(max(1, width // 2), max(1, height // 2), picture.format())
    painter = QPainter(half)
    for top in range(0, half.height(), _BAND):
        rows = min(_BAND, half.height() - top)
        # The last row of an odd height goes with the last band.
        end = height if top + rows == half.height() else 2 * (top + rows)
        band = picture.copy(0, 2 * top, width, end - 2 * top)
        small = band.scaled(
            QSize(half.width(), rows),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        painter.drawImage(0, top, small)
    painter.end()
    return half
