"""The line over the conversation: its title, the model, how full the context is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ..models import EngineState
from .icons import dress, icon
from .meter import ContextMeter
from .palette import M, S
from .theme import Theme, set_role
from .words import plain_tip


class Header(QWidget):
    """Title on the left, model and context on the right."""

    sidebar_toggled = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.toggle = QToolButton(self)
        self.toggle.setToolTip(self.tr("Sidebar (Ctrl+B)"))
        self.toggle.setAccessibleName(self.tr("Show or hide the sidebar"))
        self.toggle.clicked.connect(self.sidebar_toggled)
        self.title = Title(self)
        set_role(self.title, "section")
        self.model = QPushButton(self)
        self.model.setAccessibleName(self.tr("Model"))
        set_role(self.model, "quiet")
        self.model.clicked.connect(self.models_requested)
        self.context = ContextMeter(theme, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(M, S, M, S)
        row.setSpacing(S)
        row.addWidget(self.toggle)
        row.addWidget(self.title, 1)
        row.addWidget(self.model)
        row.addWidget(self.context)
        theme.changed.connect(self._dress)
        self._dress()
        self.set_engine(EngineState())

    def set_title(self, title: str) -> None:
        """The conversation's; shortened where it is too long."""
        self.title.set_words(title)

    def set_engine(self, state: EngineState) -> None:
        """Which model answers, or that none does."""
        words = {
            "off": self.tr("No model"),
            "loading": self.tr("Loading {title}…"),
            "failed": self.tr("{title} stopped"),
        }.get(state.phase, "{title}")
        self.model.setText(words.format(title=state.title or self.tr("model")))

    def set_context(self, used: int | None, whole: int) -> None:
        """How much of the context the conversation takes."""
        self.context.set_tokens(used, whole)

    def _dress(self) -> None:
        color = self._theme.palette.muted
        side = self._theme.pixels(20)
        self.toggle.setIcon(icon("sidebar", color, side))
        self.toggle.setIconSize(QSize(side, side))
        dress(self.model, "model", color, self._theme.pixels(18))


class Title(QLabel):
    """One line that ends in dots where it is too long; then its tooltip has all."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(40)

    def set_words(self, words: str) -> None:
        """Another title."""
        self._words = " ".join(words.split())
        self.setAccessibleName(self._words)
        self._shorten()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._shorten()

    def _shorten(self) -> None:
        mode = Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self._words, mode, self.width())
        if shown != self.text():
            self.setText(shown)
        self.setToolTip(plain_tip(self._words) if shown != self._words else "")
