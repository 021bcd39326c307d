"""The line over the conversation: its title, the model, how full the context is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from ..models import EngineState
from .icons import icon
from .palette import M, S
from .theme import Theme, set_role
from .words import grouped


class Header(QWidget):
    """Title on the left, model and context on the right."""

    sidebar_toggled = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._words = ""
        self.toggle = QToolButton(self)
        self.toggle.setToolTip(self.tr("Sidebar (Ctrl+B)"))
        self.toggle.setAccessibleName(self.tr("Show or hide the sidebar"))
        self.toggle.clicked.connect(self.sidebar_toggled)
        self.title = QLabel(self)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.title, "section")
        self.model = QPushButton(self)
        self.model.setAccessibleName(self.tr("Model"))
        set_role(self.model, "quiet")
        self.model.clicked.connect(self.models_requested)
        self.context = QLabel(self)
        set_role(self.context, "meta")
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
        self._words = title
        self._shorten()

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
        if used is None or not whole:
            self.context.setText("")
            return
        share = grouped(min(999, round(100 * used / whole)))
        self.context.setText(f"{share} %")
        words = self.tr("{used} of {whole} tokens of context")
        self.context.setToolTip(words.format(used=grouped(used), whole=grouped(whole)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten()

    def _shorten(self) -> None:
        width = max(40, self.title.width() - 4)
        metrics = self.title.fontMetrics()
        elide = Qt.TextElideMode.ElideRight
        self.title.setText(metrics.elidedText(self._words, elide, width))
        self.title.setToolTip(self._words)
        self.title.setMinimumWidth(40)

    def _dress(self) -> None:
        self.toggle.setIcon(icon("sidebar", self._theme.palette.muted, 20))
        self.model.setIcon(icon("model", self._theme.palette.muted, 18))
