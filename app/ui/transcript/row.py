"""One message as one stop: of the focus, of a screen reader, of the pointer."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QApplication, QWidget

from ...conversation import Turn
from ..palette import CARD_RADIUS, XS
from .actions import Actions
from .menu import message_menu
from .shared import Shared
from .stack import Stack

_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
    Qt.FocusReason.OtherFocusReason,
)
_MARKED = 2000  # milliseconds that a message which was looked for is outlined
_NAME_LENGTH = 120


class MessageRow(Stack):
    """What questions and answers share. Up and Down are the column's."""

    def __init__(self, turn: Turn, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent, gap=XS, margins=(XS, XS, XS, 0))
        self._turn, self._shared = turn, shared
        self._outlined = False
        self._mark = QTimer(self)
        self._mark.setSingleShot(True)
        self._mark.timeout.connect(self.update)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.tools = Actions(turn, shared, self)
        self.describe()

    @property
    def turn(self) -> Turn:
        """The message."""
        return self._turn

    def set_turn(self, turn: Turn) -> None:
        """The message has changed. `content` shows it."""
        self._turn = turn
        self.tools.set_turn(turn)
        self.describe()

    def follow(self, turn: Turn) -> None:
        """The message as its stream has made it, which `append` shows."""
        self._turn = turn

    def content(self) -> Iterator[None]:
        """Show the message, a step at a time."""
        raise NotImplementedError

    def restyle(self) -> Iterator[None]:
        """Take on the theme, a step at a time."""
        raise NotImplementedError

    def given_up(self) -> Iterator[None]:
        """Delete the row, its parts first: a long answer has hundreds."""
        yield
        self.deleteLater()

    def reload_pictures(self) -> None:
        """Ask for pictures again."""

    def describe(self) -> None:
        """What a screen reader says; tokens of a stream are not told."""
        turn = self._turn
        who = self.tr("You") if turn.role == "user" else "GLM"
        words = " ".join((turn.error or turn.text).split())
        name = f"{who}: {words[:_NAME_LENGTH]}"
        self.setAccessibleName(name + ("…" if len(words) > _NAME_LENGTH else ""))
        self.setAccessibleDescription(turn.text)

    def mark(self) -> None:
        """Outline the message for a moment, as the one that was looked for."""
        self._mark.start(_MARKED)
        self.update()

    def within(self, has_focus: bool) -> None:
        """The focus came into the message or left it."""
        self.tools.set_shown(has_focus or self.underMouse())

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.tools.set_shown(True)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        focused = QApplication.focusWidget()
        inside = focused is not None and (focused is self or self.isAncestorOf(focused))
        self.tools.set_shown(inside and self._outlined)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._outlined = event.reason() in _KEYBOARD
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = message_menu(self._turn, self._shared.wishes, self, event.pos())
        menu.popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copying a message that has the focus copies all of it."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """All of the message: for the key, and for a Mac's Edit menu."""
        self._shared.wishes.copy.emit(self._turn.text)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if (self.hasFocus() and self._outlined) or self._mark.isActive():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._shared.theme.color("accent"), 2))
            frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
            painter.drawRoundedRect(frame, CARD_RADIUS, CARD_RADIUS)
            painter.end()
