"""The pictures, clips and documents of a question, each with its tokens."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from ...conversation import Attachment
from ..icons import pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from .shared import Shared

_SIDE = 96
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

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._place(self.width(), move=True)

    def reload(self) -> None:
        """Ask for the pictures, which may not have been there before."""
        for card in self._cards:
            card.reload()

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
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(value.name)
        self.setAccessibleName(f"{value.name}, {self._tokens()}".strip(", "))
        self.clicked.connect(lambda: shared.wishes.open_media.emit(value))
        self.reload()

    def reload(self) -> None:
        value = self._value
        page = (value.pages or (1,))[0] if value.kind == "document" else None
        self._picture = self._shared.pictures(value.digest, page)
        self._scaled = None
        self.update()

    def sizeHint(self) -> QSize:
        line = self._shared.theme.pixels(META) * 3 // 2
        return QSize(_SIDE, _SIDE + (line if self._tokens() else 0))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        theme = self._shared.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(0, 0, _SIDE, _SIDE)
        shape = QPainterPath()
        shape.addRoundedRect(frame, CARD_RADIUS, CARD_RADIUS)
        painter.save()
        painter.setClipPath(shape)
        painter.fillRect(frame, theme.color("raised"))
        if self._picture is None or self._picture.isNull():
            sign = pixmap(_ICONS[self._value.kind], theme.palette.muted, 32, 2.0)
            painter.drawPixmap(_SIDE // 2 - 16, _SIDE // 2 - 16, sign)
        else:
            self._paint_picture(painter)
        if self._value.kind == "video":
            self._paint_play(painter)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        focused = self.hasFocus()
        pen = QPen(theme.color("accent" if focused else "border"), 2 if focused else 1)
        painter.setPen(pen)
        painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setFont(theme.font(META))
        painter.setPen(theme.color("muted"))
        below = self.rect().adjusted(0, _SIDE, 0, 0)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._tokens())
        painter.end()

    def _paint_picture(self, painter: QPainter) -> None:
        if self._scaled is None:
            side = round(_SIDE * self.devicePixelRatioF())
            self._scaled = self._picture.scaled(
                side,
                side,
                Qt.AspectRatioMode.KeepAspectRatioByExpanding,
                Qt.TransformationMode.SmoothTransformation,
            )
        whole = self._scaled.rect()
        side = min(whole.width(), whole.height())
        source = QRect((whole.width() - side) // 2, 0, side, side)
        painter.drawPixmap(QRect(0, 0, _SIDE, _SIDE), self._scaled, source)

    def _paint_play(self, painter: QPainter) -> None:
        theme = self._shared.theme
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("window"))
        painter.drawEllipse(_SIDE - 28, _SIDE - 28, 24, 24)
        sign = pixmap("play", theme.palette.text, 12, 2.0)
        painter.drawPixmap(_SIDE - 28 + 6 + XXS // 4, _SIDE - 28 + 6, sign)

    def _tokens(self) -> str:
        tokens = self._value.tokens
        return "" if tokens is None else self.tr("{:,} tok").format(tokens)
