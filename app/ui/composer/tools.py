"""The composer's lower row: add, region, detail, cost, Think, and Send or Stop.

When the row gets narrow its words give way one after another; every tool stays.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QWidget,
)

from ..icons import dress, icon
from ..meter import WARN_ABOVE
from ..palette import XS, XXS
from ..theme import Theme, set_role
from ..words import grouped

_ICON = 20
_TIGHTEST = 6


class ToolRow(QWidget):
    """Shows the state it is given; says what was pressed."""

    add_requested = Signal()
    region_requested = Signal()
    detail_chosen = Signal(str)
    thinking_toggled = Signal(bool)
    send_pressed = Signal()
    stop_pressed = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy, self._reason = False, ""
        self._detail = "normal"
        self._used: int | None = None
        self._context = 0
        self._tight = 0
        self.add = self._tool(self.tr("Add pictures, videos or PDFs"))
        self.add.clicked.connect(self.add_requested)
        self.region = self._tool(self.tr("Picture of a part of the screen"))
        self.region.clicked.connect(self.region_requested)
        self.detail = self._tool("")
        self.detail.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.detail.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.detail.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._actions = self._detail_menu()
        self.cost = QLabel(self)
        self.cost.setProperty("role", "meta")
        self.think = QPushButton(self)
        self.think.setProperty("role", "pill")
        self.think.setCheckable(True)
        self.think.setAccessibleName(self.tr("Think before answering"))
        self.think.clicked.connect(self._toggled)
        # While Stop stands where Send was.
        self.later = self._tool(self.tr("Send when the model is free (Enter)"))
        self.later.clicked.connect(self.send_pressed)
        self.send = QPushButton(self)
        self.send.setProperty("role", "send")
        self.send.clicked.connect(self._pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(XXS)
        row.addWidget(self.add)
        row.addWidget(self.region)
        row.addWidget(self.detail)
        row.addStretch(1)
        row.addWidget(self.cost)
        row.addSpacing(XS)
        row.addWidget(self.think)
        row.addSpacing(XXS)
        row.addWidget(self.later)
        row.addWidget(self.send)
        theme.changed.connect(self.restyle)
        self.restyle()

    def minimumSizeHint(self) -> QSize:
        # The row fits itself: its words must not keep the window wide.
        return QSize(200, super().minimumSizeHint().height())

    def set_detail(self, detail: str) -> None:
        """Which detail new attachments get. Raises KeyError for another word."""
        self._actions[detail].setChecked(True)
        self._detail = detail
        self._fit()

    def set_cost(self, used: int | None, context: int) -> None:
        """Tokens of the prompt, None while they are counted, and of the context."""
        self._used, self._context = used, context
        share = used / context if used is not None and context else 0.0
        high = "warn" if share > WARN_ABOVE else "meta"
        set_role(self.cost, "danger" if share > 1 else high)
        self._fit()

    def set_thinking(self, on: bool) -> None:
        """Whether the model will think first."""
        self.think.setChecked(on)
        self._dress_think()

    def set_busy(self, busy: bool) -> None:
        """Whether an answer is under way: then Send is Stop."""
        self._busy = busy
        self._dress_send()

    def set_reason(self, reason: str) -> None:
        """Why nothing can be sent now, empty when it can."""
        if reason != self._reason:
            self._reason = reason
            self._dress_send()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        colors = self._theme.palette
        size = self._theme.pixels(_ICON)
        for button, name in (
            (self.add, "plus"),
            (self.region, "region"),
            (self.later, "send"),
        ):
            dress(button, name, colors.text, size)
        small = self._theme.pixels(12)
        self.detail.setIcon(icon("down", colors.muted, small))
        self.detail.setIconSize(QSize(small, small))
        side = 2 * self._theme.pixels(16)
        self.send.setFixedSize(side, side)
        self._dress_think()
        self._dress_send()
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _tool(self, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setIconSize(QSize(_ICON, _ICON))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _detail_menu(self) -> dict[str, QAction]:
        menu, group = QMenu(self), QActionGroup(self)
        actions = {}
        for detail, text in (
            ("low", self.tr("Low: fewer tokens, quicker")),
            ("normal", self.tr("Normal")),
            ("high", self.tr("High: small print, more tokens")),
        ):
            action = group.addAction(text)
            action.setCheckable(True)
            action.setData(detail)
            menu.addAction(action)
            actions[detail] = action
        group.triggered.connect(self._chosen)
        self.detail.setMenu(menu)
        return actions

    def _chosen(self, action: QAction) -> None:
        self.set_detail(action.data())
        self.detail_chosen.emit(action.data())

    def _toggled(self, on: bool) -> None:
        self._dress_think()
        self.thinking_toggled.emit(on)

    def _pressed(self) -> None:
        if self._busy:
            self.stop_pressed.emit()
        else:
            self.send_pressed.emit()

    def _dress_think(self) -> None:
        colors, on = self._theme.palette, self.think.isChecked()
        color = colors.accent_text if on else colors.text
        dress(self.think, "bulb", color, self._theme.pixels(16))
        keys = QKeySequence("Ctrl+T").toString(QKeySequence.SequenceFormat.NativeText)
        state = self.tr("Thinks first") if on else self.tr("Answers at once")
        self.think.setToolTip(f"{state} ({keys})")

    def _dress_send(self) -> None:
        colors, reason = self._theme.palette, "" if self._busy else self._reason
        self.send.setEnabled(not reason)
        self.later.setVisible(self._busy and not self._reason)
        color = colors.muted if reason else colors.accent_text
        size = self._theme.pixels(_ICON)
        dress(self.send, "stop" if self._busy else "send", color, size)
        name = self.tr("Stop") if self._busy else self.tr("Send")
        key = self.tr("Esc") if self._busy else self.tr("Enter")
        self.send.setAccessibleName(name)
        self.send.setToolTip(reason or f"{name} ({key})")
        self.send.setAccessibleDescription(reason)

    def _fit(self) -> None:
        """Give way until the row fits, what is said elsewhere or by an icon first."""
        for tight in range(_TIGHTEST + 1):
            self._shorten(tight)
            if super().minimumSizeHint().width() <= self.width():
                return

    def _shorten(self, tight: int) -> None:
        levels = {
            "low": self.tr("low"),
            "normal": self.tr("normal"),
            "high": self.tr("high"),
        }
        full = self.tr("Detail: {level}").format(level=levels[self._detail])
        short = levels[self._detail] if tight < 6 else ""
        self.detail.setText(full if tight < 2 else short)
        self.detail.setToolTip(self.tr("How closely pictures and videos are looked at"))
        self.detail.setAccessibleName(full)
        words = self.tr("Think") if tight < 3 else ""
        if words != self.think.text():
            self.think.setText(words)
            self._dress_think()
        counted = self._used is not None
        used = grouped(self._used) if self._used is not None else "…"
        whole = self.tr("{used} of {context}").format(
            used=used, context=grouped(self._context)
        )
        tokens = self.tr("{cost} tokens of the context").format(cost=whole)
        self.cost.setVisible(self._context > 0 and tight < 4)
        self.region.setVisible(tight < 5)
        self.cost.setToolTip(tokens if counted else self.tr("Counting tokens"))
        self.cost.setAccessibleName(self.cost.toolTip())
        if tight >= 1 and self._context and self._used is not None:
            whole = self.tr("{share}%").format(
                share=grouped(round(100 * self._used / self._context))
            )
        self.cost.setText(whole)
