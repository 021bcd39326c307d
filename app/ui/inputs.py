"""A tick, a choice and a number that look like the rest.

A style sheet cannot draw them. The tick's words break lines; colours are the
application palette's, so that both themes are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QActionGroup,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QWidget,
)

from .palette import XXS, S
from .theme import set_role

_ARROW = 16
_WRAPPED = Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap


class Tick(QCheckBox):
    """A check box whose words break lines."""

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(words, parent)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._words_in(width).height() + 2 * XXS

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + self._indent() + 2
        return QSize(width, self._side() + 2 * XXS)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._indent() + 8 * self._side(), self._side() + 2 * XXS)

    def hitButton(self, position: object) -> bool:  # noqa: ARG002
        return True

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors, role = self.palette(), QPalette.ColorRole
        side = self._side()
        box = QRectF(1, XXS + 1, side - 2, side - 2)
        on = self.isChecked()
        frame = colors.color(role.Accent if on else role.PlaceholderText)
        painter.setPen(QPen(frame, 1.5))
        painter.setBrush(colors.color(role.Accent if on else role.Base))
        painter.drawRoundedRect(box, XXS, XXS)
        if on:
            pen = QPen(colors.color(role.HighlightedText), 2)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            across = box.width()
            places = ((0.25, 0.52), (0.43, 0.70), (0.76, 0.32))
            corners = [
                box.topLeft() + QPointF(x * across, y * across) for x, y in places
            ]
            painter.drawPolyline(QPolygonF(corners))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colors.color(role.WindowText), 2))
            painter.drawRoundedRect(box, XXS, XXS)
        painter.setPen(colors.color(role.WindowText))
        words = self._words_in(self.width()).translated(self._indent(), XXS)
        painter.drawText(words, _WRAPPED, self.text())

    def _side(self) -> int:
        return self.fontMetrics().height()

    def _indent(self) -> int:
        return self._side() + S

    def _words_in(self, width: int) -> QRect:
        room = QRect(0, 0, max(1, width - self._indent()), 100_000)
        return self.fontMetrics().boundingRect(room, _WRAPPED, self.text())


class Choice(QPushButton):
    """One of several words, in a menu that is made when it opens.

    A combo box holds nine more widgets for its list, each of which a change of the look
    would pay for. Its keys are here, too: Up and Down step, Space opens.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words: tuple[str, ...] = ()
        self._place = 0
        set_role(self, "choice")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.open)

    def set_words(self, words: Sequence[str]) -> None:
        """What can be chosen; the first of them is, until `set_place`."""
        self._words = tuple(words)
        self.set_place(0)

    def set_place(self, place: int) -> None:
        """Show another as chosen; says nothing."""
        self._place = place
        self.setText(self._words[place])
        self.setAccessibleDescription(self._words[place])

    def open(self) -> QMenu:
        """The menu under the button."""
        menu, group = QMenu(self), QActionGroup(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group.setParent(menu)
        for place, words in enumerate(self._words):
            action = group.addAction(words)
            action.setCheckable(True)
            action.setChecked(place == self._place)
            action.triggered.connect(partial(self._choose, place))
            menu.addAction(action)
        menu.setMinimumWidth(self.width())
        menu.popup(self.mapToGlobal(QPoint(0, self.height())))
        menu.setActiveAction(menu.actions()[self._place])
        return menu

    def minimumSizeHint(self) -> QSize:
        return QSize(
            8 * self.fontMetrics().height(), super().minimumSizeHint().height()
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if not step:
            super().keyPressEvent(event)
        elif 0 <= self._place + step < len(self._words):
            self._choose(self._place + step)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QStylePainter(self)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        # Long words give way to the arrow.
        room = self.width() - 2 * S - _ARROW
        mode = Qt.TextElideMode.ElideRight
        option.text = self.fontMetrics().elidedText(self.text(), mode, room)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), 1.6))
        middle = QPointF(self.width() - _ARROW, self.height() / 2)
        corners = [middle + QPointF(x, y) for x, y in ((-4, -2), (0, 2), (4, -2))]
        painter.drawPolyline(QPolygonF(corners))
        painter.end()

    def _choose(self, place: int) -> None:
        if place != self._place:
            self.set_place(place)
            self.chosen.emit(place)


def bare(field: QAbstractSpinBox) -> None:
    """A number field without arrows; the keys Up and Down step.

    Asked for no buttons, Qt's style sheets leave no room for the number either: the
    sheet makes the arrows none wide.
    """
    # The style sheet's frame of line edits would stand inside the field's own.
    set_role(field.lineEdit(), "bare")
    field.lineEdit().setTextMargins(S, 0, S, 0)
