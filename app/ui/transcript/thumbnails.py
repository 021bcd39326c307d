"""The pictures, clips and documents of a question, whole, each with its tokens."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QWidget

from ...conversation import Attachment
from ..icons import pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from ..words import grouped, plain_tip
from .shared import Shared

# The most of a picture, and what is kept free while it is not there.
_MOST, _UNKNOWN = QSize(240, 180), QSize(160, 120)
_LEAST = 48
_ICONS = {"image": "image", "video": "video", "document": "document"}


class Thumbnails(QWidget):
    """Cards in lines that break; the right ends meet."""

    grew = Signal()

    def __init__(
        self, attachments: tuple[Attachment, ...], shared: Shared, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._shared = shared
        self._cards = [_Card(each, shared, self) for each in attachments]

    def natural_width(self, most: int) -> int:
        """The width of one line of them, at most so much."""
        across = sum(card.sizeHint().width() + XS for card in self._cards) - XS
        return min(max(across, 0), most)

    def height_for(self, width: int) -> int:
        """The height of all lines."""
        return self._place(width, move=False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place(self.width(), move=True)

    def reload(self) -> None:
        """Ask for the pictures, which may not have been there before."""
        before = [card.sizeHint() for card in self._cards]
        for card in self._cards:
            card.reload()
        if before != [card.sizeHint() for card in self._cards]:
            self._place(self.width(), move=True)
            self.grew.emit()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self._place(self.width(), move=True)
        self.update()

    def _place(self, width: int, *, move: bool) -> int:
        left = top = 0
        below = 0
        for card in self._cards:
            size = card.sizeHint()
            if left and left + size.width() > width:
                left, top = 0, below + XS
            if move:
                card.setGeometry(QRect(left, top, size.width(), size.height()))
            left += size.width() + XS
            below = max(below, top + size.height())
        return below


class _Card(QAbstractButton):
    """One attachment: its picture, its tokens below; a click opens it."""

    def __init__(self, value: Attachment, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._value, self._shared = value, shared
        self._picture: QPixmap | None = None
        self._scaled: QPixmap | None = None
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(plain_tip(value.name))
        self.setAccessibleName(f"{value.name}, {self._tokens()}".strip(", "))
        self.clicked.connect(lambda: shared.wishes.open_media.emit(value))
        self.reload()

    def reload(self) -> None:
        value = self._value
        page = (value.pages or (1,))[0] if value.kind == "document" else None
        picture = self._shared.pictures(value.digest, page)
        self._picture = None if picture is None or picture.isNull() else picture
        self._scaled = None
        self.update()

    def sizeHint(self) -> QSize:
        shown, words = self._shown(), self._tokens()
        if not words:
            return shown
        metrics = QFontMetrics(self._shared.theme.font(META))
        width = max(shown.width(), metrics.horizontalAdvance(words) + XXS)
        return QSize(width, shown.height() + self._line())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        theme, shown = self._shared.theme, self._shown()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left = (self.width() - shown.width()) // 2
        frame = QRect(left, 0, shown.width(), shown.height())
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(frame), CARD_RADIUS, CARD_RADIUS)
        painter.save()
        painter.setClipPath(shape)
        painter.fillRect(frame, theme.color("raised"))
        if self._picture is None:
            sign = pixmap(_ICONS[self._value.kind], theme.palette.muted, 32, 2.0)
            painter.drawPixmap(frame.center().x() - 16, frame.center().y() - 16, sign)
        else:
            self._paint_picture(painter, self._picture, frame)
        if self._value.kind == "video":
            self._paint_play(painter, frame)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        focused = self.hasFocus()
        pen = QPen(theme.color("accent" if focused else "border"), 2 if focused else 1)
        painter.setPen(pen)
        edge = QRectF(frame).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)
        painter.setFont(theme.font(META))
        painter.setPen(theme.color("muted"))
        below = self.rect().adjusted(0, shown.height(), 0, 0)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._tokens())
        painter.end()

    def _shown(self) -> QSize:
        """The picture's size here: its own ratio, never enlarged."""
        if self._picture is None:
            return _UNKNOWN
        size = self._picture.size()
        if size.width() > _MOST.width() or size.height() > _MOST.height():
            size = size.scaled(_MOST, Qt.AspectRatioMode.KeepAspectRatio)
        return size.expandedTo(QSize(_LEAST, _LEAST))

    def _paint_picture(self, painter: QPainter, picture: QPixmap, frame: QRect) -> None:
        ratio = self.devicePixelRatioF()
        if self._scaled is None or self._scaled.devicePixelRatio() != ratio:
            # Within the frame: what is very long stands in the middle of it.
            room = frame.size().boundedTo(picture.size())
            self._scaled = picture.scaled(
                room * ratio,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            self._scaled.setDevicePixelRatio(ratio)
        size = self._scaled.deviceIndependentSize().toSize()
        place = QRect(0, 0, size.width(), size.height())
        place.moveCenter(frame.center())
        painter.drawPixmap(place.topLeft(), self._scaled)

    def _paint_play(self, painter: QPainter, frame: QRect) -> None:
        theme = self._shared.theme
        left, top = frame.right() - 27, frame.bottom() - 27
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("window"))
        painter.drawEllipse(left, top, 24, 24)
        sign = pixmap("play", theme.palette.text, 12, 2.0)
        painter.drawPixmap(left + 6 + XXS // 4, top + 6, sign)

    def _line(self) -> int:
        return self._shared.theme.pixels(META) * 3 // 2

    def _tokens(self) -> str:
        tokens = self._value.tokens
        return "" if tokens is None else self.tr("{} tok").format(grouped(tokens))
