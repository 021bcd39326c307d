"""What went wrong with an answer, in plain words, and one button that helps."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from ..palette import M, S
from ..theme import set_role
from ..words import breakable
from .shared import Shared
from .stack import Stack


class Problem(Stack):
    """A danger line at the left, words, a button."""

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent, gap=S, margins=(M, S, 0, S))
        set_role(self, "error")
        self._shared = shared
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.put(self._words)
        self._line = _Line(self)
        self._button = QPushButton(self._line)
        self._button.clicked.connect(self._help)
        self.put(self._line)
        self._restartable = False
        self.set_restartable(False)

    def set_words(self, words: str) -> None:
        """What happened and what to do."""
        self._words.setText(breakable(words))
        self.settle()

    def set_restartable(self, restartable: bool) -> None:
        """Whether starting the model again may help; else there is the log."""
        self._restartable = restartable
        log, restart = self.tr("Show log"), self.tr("Restart the model")
        self._button.setText(restart if restartable else log)
        self._button.adjustSize()

    def restyle(self) -> None:
        """Take on the theme's sizes."""
        self._button.adjustSize()
        self.settle()

    @property
    def button(self) -> QPushButton:
        """What helps."""
        return self._button

    def _help(self) -> None:
        wishes = self._shared.wishes
        (wishes.restart_model if self._restartable else wishes.show_log).emit()


class _Line(QWidget):
    """Keeps the button at its own width."""

    def height_for(self, width: int) -> int:  # noqa: ARG002
        button = self.findChild(QPushButton)
        return button.sizeHint().height() if button else 0
