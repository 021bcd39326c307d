"""The line over the conversation: its title, the model, how full the context is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ..models import EngineState
from .icons import dress
from .meter import ContextMeter
from .palette import M, S
from .theme import Theme, set_role
from .words import plain_tip

# The most of the line that a model's name takes.
_MODELS_SHARE = 0.35


class Header(QWidget):
    """Title on the left, model and context on the right."""

    sidebar_toggled = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.toggle = QToolButton(self)
        keys = QKeySequence("Ctrl+B").toString(QKeySequence.SequenceFormat.NativeText)
        self.toggle.setToolTip(self.tr("Sidebar ({keys})").format(keys=keys))
        self.toggle.setAccessibleName(self.tr("Show or hide the sidebar"))
        self.toggle.clicked.connect(self.sidebar_toggled)
        self.title = Title(self)
        set_role(self.title, "section")
        self.model = QPushButton(self)
        self._model = ""
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
        self.set_engine(EngineState())
        self._dress()

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
        self._model = words.format(title=state.title or self.tr("model"))
        name = self.tr("{model}. Opens the models page")
        self.model.setAccessibleName(name.format(model=self._model))
        self._shorten_model()

    def set_context(self, used: int | None, whole: int) -> None:
        """How much of the context the conversation takes."""
        self.context.set_tokens(used, whole)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten_model()

    def _shorten_model(self) -> None:
        """The title has at least as much room as the model's name."""
        room = round(_MODELS_SHARE * self.width())
        mode = Qt.TextElideMode.ElideMiddle
        shown = self.model.fontMetrics().elidedText(self._model, mode, room)
        if shown != self.model.text():
            self.model.setText(shown)
        self.model.setToolTip(plain_tip(self._model) if shown != self._model else "")

    def _dress(self) -> None:
        color = self._theme.palette.muted
        side = self._theme.pixels(20)
        dress(self.toggle, "sidebar", color, side)
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
