"""One attachment: thumbnail, name, tokens; a border and a line when it is unreadable.

It paints itself, since fifty of them have to appear at once; only the button that
removes it is a widget, made when first hovered or focused.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from ..icons import icon, pixmap
from ..palette import CARD_RADIUS, META, XS, XXS
from ..theme import Theme
from .values import CardValue, chip_text, cost_text, spoken

THUMBNAIL = 64
_KIND_ICONS = {"image": "image", "video": "video", "document": "document"}


class AttachmentCard(QWidget):
    """Enter or a click opens it, Delete removes it, Ctrl+Left and Right move it."""

    removed = Signal(str)
    moved = Signal(str, int)
    opened = Signal(str)
    stepped = Signal(str, int)  # the focus wants to go to a neighbour

    def __init__(self, value: CardValue, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._value = theme, value
        self._button: QToolButton | None = None
        self._pressed: QPoint | None = None
        self._dragged = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._tell()

    @property
    def value(self) -> CardValue:
        """What it shows."""
        return self._value

    def set_value(self, value: CardValue) -> None:
        """Show another state of the same attachment."""
        if value != self._value:
            self._value = value
            self._tell()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self.setFixedSize(self.sizeHint())
        if self._button is not None:
            self._dress(self._button)
        self.update()

    def sizeHint(self) -> QSize:
        theme = self._theme
        line = theme.pixels(META) * 4 // 3
        width = max(THUMBNAIL + 2 * XS, theme.pixels(88))
        if self._value.problem is not None:
            width = THUMBNAIL + XS + theme.pixels(176)
        return QSize(width, XXS + THUMBNAIL + XXS + 2 * line + XXS)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._value.problem is None:
            self._paint_readable(painter)
        else:
            self._paint_problem(painter)
        if self.hasFocus():
            self._outline(painter, self._theme.color("accent"), 2)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(self._value.key)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit(self._value.key)
        elif step and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.moved.emit(self._value.key, step)
        elif step:
            self.stepped.emit(self._value.key, step)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position().toPoint(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Dragged past a neighbour's middle, it changes places with it."""
        if self._pressed is None:
            return
        over = event.position().toPoint().x() - self._pressed.x()
        if abs(over) > self.width() // 2 + XS:
            self._dragged = True
            self.moved.emit(self._value.key, 1 if over > 0 else -1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        inside = self.rect().contains(event.position().toPoint())
        if self._pressed is not None and inside and not self._dragged:
            self.opened.emit(self._value.key)
        self._pressed = None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        key, menu = self._value.key, QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, act in (
            (self.tr("Open"), lambda: self.opened.emit(key)),
            (self.tr("Move left"), lambda: self.moved.emit(key, -1)),
            (self.tr("Move right"), lambda: self.moved.emit(key, 1)),
            (self.tr("Remove"), lambda: self.removed.emit(key)),
        ):
            menu.addAction(text).triggered.connect(act)
        menu.popup(event.globalPos())

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._show_button(True)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._show_button(self.hasFocus())

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_button(True)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_button(self.underMouse())
        self.update()

    def _tell(self) -> None:
        value = self._value
        reason = [value.problem] if value.problem else []
        self.setToolTip("\n".join([value.name, *reason]))
        self.setAccessibleName(spoken(value))
        self.setAccessibleDescription(
            self.tr("Enter opens, Delete removes, Ctrl with Left or Right moves it")
        )
        self.restyle()

    def _show_button(self, shown: bool) -> None:
        if shown and self._button is None:
            button = QToolButton(self)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setCursor(Qt.CursorShape.ArrowCursor)
            button.clicked.connect(lambda: self.removed.emit(self._value.key))
            self._dress(button)
            self._button = button
        if self._button is not None:
            self._button.setVisible(shown)

    def _dress(self, button: QToolButton) -> None:
        colors = self._theme.palette
        button.setIcon(icon("close", colors.window, 12))
        button.setIconSize(QSize(12, 12))
        button.setStyleSheet(
            f"QToolButton {{ background: {colors.text}; border: 1px solid "
            f"{colors.raised}; border-radius: 11px; padding: 0; }}"
            f"QToolButton:hover {{ background: {colors.danger}; }}"
        )
        corner = self._place().topRight()
        button.setGeometry(corner.x() - 14, 0, 22, 22)
        name = self.tr("Remove {name}").format(name=self._value.name)
        button.setAccessibleName(name)
        button.setToolTip(name)

    def _place(self) -> QRect:
        """Where the thumbnail stands: centred, or at the left of a reason."""
        if self._value.problem is not None:
            top = (self.height() - THUMBNAIL) // 2
            return QRect(XS, top, THUMBNAIL - XS, THUMBNAIL)
        return QRect((self.width() - THUMBNAIL) // 2, XXS, THUMBNAIL, THUMBNAIL)

    def _paint_readable(self, painter: QPainter) -> None:
        theme, place = self._theme, self._place()
        rounded = QPainterPath()
        rounded.addRoundedRect(QRectF(place), CARD_RADIUS, CARD_RADIUS)
        picture = self._value.thumbnail
        if picture is None or picture.isNull():
            painter.fillPath(rounded, theme.color("soft"))
            self._glyph(painter, _KIND_ICONS[self._value.kind], "accent", place)
        else:
            painter.setClipPath(rounded)
            painter.fillRect(place, theme.color("window"))
            _fill(painter, picture, place)
            painter.setClipping(False)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.drawPath(rounded)
        self._paint_chip(painter, place)
        painter.setFont(theme.font(META))
        metrics = painter.fontMetrics()
        line = theme.pixels(META) * 4 // 3
        words = QRect(2, place.bottom() + 1 + XXS, self.width() - 4, line)
        middle = Qt.TextElideMode.ElideMiddle
        for text, color in (
            (self._value.name, "text"),
            (cost_text(self._value), "muted"),
        ):
            painter.setPen(theme.color(color))
            shown = metrics.elidedText(text, middle, words.width())
            painter.drawText(words, Qt.AlignmentFlag.AlignCenter, shown)
            words.translate(0, line)

    def _paint_chip(self, painter: QPainter, place: QRect) -> None:
        text = chip_text(self._value)
        if not text:
            return
        painter.setFont(self._theme.font(META))
        metrics = painter.fontMetrics()
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, place.width() - 8)
        size = QSize(metrics.horizontalAdvance(shown) + 8, metrics.height() + 2)
        chip = QRect(QPoint(0, 0), size)
        chip.moveBottomRight(place.bottomRight() - QPoint(3, 3))
        painter.setPen(Qt.PenStyle.NoPen)
        # On a picture of any brightness, in both themes.
        painter.setBrush(QColor(0, 0, 0, 180))
        painter.drawRoundedRect(chip, 5, 5)
        painter.setPen(QColor("#FFFFFF"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, shown)

    def _paint_problem(self, painter: QPainter) -> None:
        theme, place = self._theme, self._place()
        self._outline(painter, theme.color("danger"), 1)
        self._glyph(painter, "warning", "danger", place)
        left = place.right() + XXS
        words = QRect(left, XS, self.width() - left - XS, self.height() - 2 * XS)
        painter.setFont(theme.font(META))
        metrics = painter.fontMetrics()
        painter.setPen(theme.color("text"))
        room = words.width() - XS * 2  # the button that removes it stands there
        name = metrics.elidedText(self._value.name, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(words, Qt.AlignmentFlag.AlignTop, name)
        painter.setPen(theme.color("danger"))
        words.setTop(words.top() + metrics.height() + 2)
        wrapped = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(words, wrapped, self._value.problem or "")

    def _glyph(self, painter: QPainter, name: str, color: str, place: QRect) -> None:
        tone = getattr(self._theme.palette, color)
        spot = QRect(0, 0, 28, 28)
        spot.moveCenter(place.center())
        painter.drawPixmap(
            spot.topLeft(), pixmap(name, tone, 28, self.devicePixelRatioF())
        )

    def _outline(self, painter: QPainter, color: QColor, width: int) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, width))
        half = width / 2
        edge = QRectF(self.rect()).adjusted(half, half, -half, -half)
        painter.drawRoundedRect(edge, CARD_RADIUS, CARD_RADIUS)


def _fill(painter: QPainter, picture: QPixmap, place: QRect) -> None:
    """Draw the middle of a picture so that it fills the place."""
    side = min(picture.width(), picture.height())
    cut = QRect(
        (picture.width() - side) // 2, (picture.height() - side) // 2, side, side
    )
    painter.drawPixmap(place, picture, cut)
