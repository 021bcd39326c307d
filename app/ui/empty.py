"""What an empty conversation shows: who answers, what it can do, three examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .icons import icon
from .palette import COLUMN_WIDTH, L, M, S
from .theme import Theme, set_role


@dataclass(frozen=True)
class Example:
    """A question about files that come with the app; `icon` names one of `icons`."""

    icon: str
    question: str
    files: tuple[Path, ...]


class EmptyConversation(QWidget):
    """Says `chosen` with an example, or that other models are wanted."""

    chosen = Signal(object)  # Example
    models_requested = Signal()

    def __init__(
        self, theme: Theme, examples: tuple[Example, ...], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._buttons: list[tuple[QToolButton, Example]] = []
        self._name = QLabel(self)
        set_role(self._name, "title")
        self._what = QLabel(self)
        self._what.setWordWrap(True)
        set_role(self._what, "muted")
        cards = QHBoxLayout()
        cards.setSpacing(M)
        for example in examples:
            cards.addWidget(self._card(example), 1)
        self._banner = QFrame(self)
        set_role(self._banner, "banner")
        words = QLabel(
            self.tr(
                "You are talking to a 2-million-parameter demo that knows shapes and "
                "colours."
            ),
            self._banner,
        )
        words.setWordWrap(True)
        get = QPushButton(self.tr("Get GLM-4.5V"), self._banner)
        set_role(get, "primary")
        get.clicked.connect(self.models_requested)
        row = QHBoxLayout(self._banner)
        row.setContentsMargins(M, S, M, S)
        row.addWidget(words, 1)
        row.addWidget(get)
        content = QWidget(self)
        content.setMaximumWidth(COLUMN_WIDTH)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(M)
        column.addWidget(self._name)
        column.addWidget(self._what)
        column.addLayout(cards)
        column.addWidget(self._banner)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(L, L, L, L)
        centred = QHBoxLayout()
        centred.addStretch(0)
        centred.addWidget(content, 1)
        centred.addStretch(0)
        whole.addStretch(1)
        whole.addLayout(centred)
        whole.addStretch(1)
        theme.changed.connect(self._dress)
        self.set_model("", is_demo=False)
        self._dress()

    def set_model(self, title: str, *, is_demo: bool) -> None:
        """Who answers; the banner stands where it is the demo."""
        self._name.setText(title or self.tr("No model is loaded"))
        self._what.setText(
            self.tr("Drop a picture, a video or a PDF, and ask about it.")
            if title
            else self.tr("Choose one on the models page; the demo is always there.")
        )
        self._banner.setVisible(is_demo or not title)

    def _card(self, example: Example) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("example")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setText(example.question)
        button.setAccessibleName(self.tr("Example: ") + example.question)
        button.setSizePolicy(
            button.sizePolicy().Policy.Expanding, button.sizePolicy().Policy.Fixed
        )
        button.clicked.connect(lambda: self.chosen.emit(example))
        self._buttons.append((button, example))
        return button

    def _dress(self) -> None:
        colors = self._theme.palette
        for button, example in self._buttons:
            button.setIcon(icon(example.icon, colors.accent, 24))
            button.setMinimumHeight(self._theme.pixels(84))
            button.setStyleSheet(
                f"QToolButton {{ background: {colors.raised}; padding: 12px;"
                f" border: 1px solid {colors.border}; }}"
                f"QToolButton:hover {{ border-color: {colors.accent}; }}"
                f"QToolButton:focus {{ border: 2px solid {colors.accent}; }}"
            )
