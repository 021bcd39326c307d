"""One attachment as a widget: its keys, its menu, dragging it to another place.

It paints itself, since fifty of them have to appear at once; only the button that
removes it is a widget, made when first hovered or focused.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from ..icons import icon
from ..palette import XS
from ..theme import Theme
from ..words import plain_tip
from .face import button_corner, card_size, outline, paint_card
from .values import CardValue, spoken


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
        return card_size(self._value, self._theme)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        paint_card(painter, self._value, self._theme, self.rect())
        if self.hasFocus():
            outline(painter, self.rect(), self._theme.color("accent"), 2)
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
        self.setToolTip(plain_tip("\n".join([value.name, *reason])))
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
        corner = button_corner(self._value, self._theme, self.rect())
        button.setGeometry(corner.x() - 14, 0, 22, 22)
        name = self.tr("Remove {name}").format(name=self._value.name)
        button.setAccessibleName(name)
        button.setToolTip(name)
