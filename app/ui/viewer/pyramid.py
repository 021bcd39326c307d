"""A large picture and its halves, so that every zoom paints few pixels. No widgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QImageReader

# Halves are made down to this longer side.
_SMALLEST = 480


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
    levels = [picture]
    while max(levels[-1].width(), levels[-1].height()) > _SMALLEST:
        size = levels[-1].size()
        half = QSize(max(1, size.width() // 2), max(1, size.height() // 2))
        levels.append(
            levels[-1].scaled(
                half,
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
    return Pyramid(tuple(levels))
