"""The sidebar's foot: how the model is doing, and the ways to Models and Settings."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...models import EngineState
from ..icons import dress
from ..palette import XS, XXS
from ..theme import Theme, set_role
from ..words import grouped, memory_words

_COLORS = {
    "off": "muted",
    "loading": "warn",
    "ready": "ok",
    "working": "accent",
    "failed": "danger",
}


class StatusDot(QWidget):
    """A dot in the colour of the engine's phase; hollow when nothing is loaded."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._phase = theme, "off"
        self.restyle()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        side = self._theme.pixels(10)
        self.setFixedSize(side, side)
        self.update()

    def set_phase(self, phase: str) -> None:
        """Show another phase."""
        self._phase = phase
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = self._theme.color(_COLORS[self._phase])
        painter.setPen(color)
        if self._phase != "off":
            painter.setBrush(color)
        painter.drawEllipse(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()


class EngineFoot(QWidget):
    """Two lines about the model over two buttons."""

    models_requested = Signal()
    settings_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme, self._name = theme, ""
        self._dot = StatusDot(theme, self)
        self.title = self._label()
        self.detail = self._label()
        self.models = self._button(self.tr("Models"))
        self.models.clicked.connect(self.models_requested)
        self.settings = self._button(self.tr("Settings"))
        self.settings.clicked.connect(self.settings_requested)
        head = QHBoxLayout()
        head.setSpacing(XS)
        words = QVBoxLayout()
        words.setContentsMargins(XS, 0, XXS, XXS)
        words.setSpacing(2)
        words.addLayout(head)
        words.addWidget(self.detail)
        head.addWidget(self._dot)
        head.addWidget(self.title, 1)
        buttons = self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        buttons.addWidget(self.models)
        buttons.addWidget(self.settings)
        buttons.addStretch()
        column = QVBoxLayout(self)
        # The buttons' icons stand below the dot: their ground is wider than they are.
        column.setContentsMargins(XXS, XS, XXS, XS)
        column.setSpacing(0)
        column.addLayout(words)
        column.addLayout(buttons)
        set_role(self.detail, "meta")
        theme.changed.connect(self._restyle)
        self._restyle()
        self.set_state(EngineState())

    def set_state(self, state: EngineState) -> None:
        """Show how the engine is doing."""
        self._dot.set_phase(state.phase)
        none = self.tr("No model loaded")
        self._name = state.title or state.model or none
        memory = ""
        if state.memory and state.machine_memory:
            memory = self.tr("{used} of {all}").format(
                used=memory_words(state.memory), all=memory_words(state.machine_memory)
            )
        phase = self._phase(state)
        self.detail.setText(memory if memory and state.phase == "ready" else phase)
        if memory and state.phase == "working":
            self.detail.setText(f"{memory} · {phase}")
        set_role(self.detail, "problem" if state.phase == "failed" else "meta")
        words = [self._name, phase, memory, state.problem or ""]
        self.setToolTip("\n".join(word for word in words if word))
        spoken = ", ".join(word for word in words if word)
        self.setAccessibleName(self.tr("Model: {state}").format(state=spoken))
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()
        self._turn()

    def _phase(self, state: EngineState) -> str:
        if state.phase == "loading" and state.total:
            share = grouped(min(100, 100 * state.done // state.total))
            return self.tr("Loading, {share}%").format(share=share)
        return {
            "off": "" if not state.model else self.tr("Not loaded"),
            "loading": self.tr("Loading"),
            "ready": self.tr("Ready"),
            "working": self.tr("Working"),
            "failed": self.tr("The model stopped"),
        }[state.phase]

    def _label(self) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        return label

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setProperty("role", "quiet")
        return button

    def _turn(self) -> None:
        """Below one another where a large text leaves no room beside."""
        buttons = (self.models, self.settings)
        wanted = sum(button.sizeHint().width() for button in buttons) + 3 * XXS
        beside, directions = wanted <= self.width(), QBoxLayout.Direction
        self._buttons.setDirection(
            directions.LeftToRight if beside else directions.TopToBottom
        )
        self._buttons.setSpacing(XXS if beside else 0)

    def _elide(self) -> None:
        metrics, room = self.title.fontMetrics(), self.title.width()
        self.title.setText(
            metrics.elidedText(self._name, Qt.TextElideMode.ElideMiddle, room)
        )

    def _restyle(self) -> None:
        color, size = self._theme.palette.text, self._theme.pixels(16)
        for button, name in ((self.models, "model"), (self.settings, "gear")):
            dress(button, name, color, size)
        self._dot.restyle()
        self._turn()
        self._elide()
