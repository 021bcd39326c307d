"""A picture with boxes drawn on it, for saving: at its own size, in any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from ..conversation import Box
from .palette import META
from .theme import Theme

_FILL = 0.12
# Lines and letters are as on a picture of this width.
_USUAL_WIDTH = 960


@dataclass(frozen=True)
class Ink:
    """What the boxes are drawn with; taken from the theme in the window's thread."""

    line: QColor
    words: QColor
    font: QFont

    @classmethod
    def of(cls, theme: Theme) -> Ink:
        """The theme's accent and small text."""
        return cls(theme.color("accent"), theme.color("accent_text"), theme.font(META))


def annotated(picture: QImage, boxes: Sequence[Box], ink: Ink) -> QImage:
    """A copy of `picture` with each box outlined, filled by 12 % and labelled."""
    drawn = picture.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    size = max(1.0, picture.width() / _USUAL_WIDTH)
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font, ground = QFont(ink.font), QColor(ink.line)
    font.setPixelSize(round(ink.font.pixelSize() * size))
    painter.setFont(font)
    ground.setAlphaF(_FILL)
    for box in boxes:
        across, down = picture.width() / box.width, picture.height() / box.height
        place = QRectF(
            box.left * across,
            box.top * down,
            (box.right - box.left) * across,
            (box.bottom - box.top) * down,
        )
        painter.setPen(QPen(ink.line, 2 * size))
        painter.fillRect(place, ground)
        painter.drawRect(place)
        if box.label:
            metrics = painter.fontMetrics()
            chip = QRectF(metrics.boundingRect(box.label))
            chip = chip.adjusted(0, 0, 8 * size, 4 * size)
            chip.moveTo(place.left(), max(0.0, place.top() - chip.height()))
            painter.fillRect(chip, ink.line)
            painter.setPen(ink.words)
            painter.drawText(chip.translated(4 * size, 0), 0, box.label)
    painter.end()
    return drawn
