"""How one frame or page looks in the grid: its picture, its time or number below."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ..icons import pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from ..theme import Theme
from .cells import PICTURE, PROBLEM, TAKEN, Index

# Room for a picture: frames lie, pages stand.
BOXES = {"video": QSize(176, 120), "document": QSize(132, 176)}
_LEFT_OUT = 0.35
_MARK = 20


class CellDelegate(QStyledItemDelegate):
    """Paints with the theme's colours as they are when it paints."""

    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self.box = BOXES["document"]

    @property
    def size(self) -> QSize:
        """What a cell needs, without what is between two."""
        line = QFontMetrics(self._theme.font(META)).height()
        box = self.box
        return QSize(box.width() + 2 * XS, box.height() + line + 2 * XS + XXS)

    def mark(self, rect: QRect) -> QRect:
        """Where a cell's mark stands: whether the page goes to the model."""
        box = self._box(rect)
        return QRect(box.topRight() - QPoint(_MARK + XXS, -XXS), QSize(_MARK, _MARK))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002
        return self.size

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index
    ) -> None:
        theme = self._theme
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._paint_ground(painter, option)
        box, taken = self._box(option.rect), index.data(TAKEN)
        painter.setOpacity(_LEFT_OUT if taken is False else 1.0)
        self._paint_picture(painter, index, box)
        painter.setOpacity(1.0)
        if taken is not None:
            self._paint_mark(painter, self.mark(option.rect), taken)
        painter.setFont(theme.font(META))
        painter.setPen(theme.color("muted"))
        words = option.rect.adjusted(0, 0, 0, -XS)
        words.setTop(box.bottom() + XXS)
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, index.data())
        painter.restore()

    def _box(self, rect: QRect) -> QRect:
        left = rect.left() + (rect.width() - self.box.width()) // 2
        return QRect(QPoint(left, rect.top() + XS), self.box)

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        theme, flags = self._theme, QStyle.StateFlag
        edge = QRectF(option.rect).adjusted(1, 1, -1, -1)
        if option.state & flags.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("soft"))
            painter.drawRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)
        if option.state & flags.State_HasFocus:
            painter.setPen(QPen(theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)

    def _paint_picture(self, painter: QPainter, index: Index, box: QRect) -> None:
        theme, picture = self._theme, index.data(PICTURE)
        if isinstance(picture, QImage):
            place = QRect(QPoint(), picture.size().scaled(box.size(), _WHOLE))
            place.moveCenter(box.center())
            painter.drawImage(place, picture)
            painter.setPen(QPen(theme.color("border"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place.adjusted(0, 0, -1, -1))
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, XXS, XXS)
        if index.data(PROBLEM):
            spot = QRect(0, 0, 28, 28)
            spot.moveCenter(box.center())
            ratio = painter.device().devicePixelRatioF()
            sign = pixmap("warning", theme.palette.danger, 28, ratio)
            painter.drawPixmap(spot.topLeft(), sign)

    def _paint_mark(self, painter: QPainter, spot: QRect, taken: bool) -> None:
        colors = self._theme.palette
        painter.setPen(QPen(self._theme.color("accent" if taken else "muted"), 1.5))
        painter.setBrush(self._theme.color("accent" if taken else "window"))
        painter.drawEllipse(spot.adjusted(1, 1, -1, -1))
        if taken:
            ratio = painter.device().devicePixelRatioF()
            sign = pixmap("check", colors.accent_text, 14, ratio)
            painter.drawPixmap(spot.topLeft() + QPoint(3, 3), sign)


_WHOLE = Qt.AspectRatioMode.KeepAspectRatio
