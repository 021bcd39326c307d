"""A picture with boxes drawn on it, for saving."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from ..conversation import Box
from .palette import META
from .theme import Theme

_FILL = 0.12


def annotated(picture: QPixmap, boxes: Sequence[Box], theme: Theme) -> QPixmap:
    """A copy of `picture` with each box outlined, filled by 12 % and labelled."""
    drawn = picture.copy()
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(META))
    accent, ground = theme.color("accent"), QColor(theme.color("accent"))
    ground.setAlphaF(_FILL)
    for box in boxes:
        across, down = picture.width() / box.width, picture.height() / box.height
        place = QRectF(
            box.left * across,
            box.top * down,
            (box.right - box.left) * across,
            (box.bottom - box.top) * down,
        )
        painter.setPen(QPen(accent, 2))
        painter.fillRect(place, ground)
        painter.drawRect(place)
        if box.label:
            metrics = painter.fontMetrics()
            chip = QRectF(metrics.boundingRect(box.label)).adjusted(0, 0, 8, 4)
            chip.moveTo(place.left(), max(0.0, place.top() - chip.height()))
            painter.fillRect(chip, accent)
            painter.setPen(theme.color("accent_text"))
            painter.drawText(chip.translated(4, 0), 0, box.label)
    painter.end()
    return drawn
