"""A line over the conversation: what went wrong outside of it. Closed by hand."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from .announce import announce
from .icons import icon
from .palette import M, S
from .theme import Theme, set_role


class NoticeBar(QFrame):
    """Shows one message at a time, perhaps with a button that helps."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._help: Callable[[], object] | None = None
        set_role(self, "banner")
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton(self)
        self.button.clicked.connect(self._helped)
        self._close = QToolButton(self)
        self._close.setAccessibleName(self.tr("Close"))
        self._close.clicked.connect(self.hide)
        # Below the words, which need the width.
        grid = QGridLayout(self)
        grid.setContentsMargins(M, S, M, S)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.words, 0, 0)
        grid.addWidget(self._close, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.button, 1, 0, Qt.AlignmentFlag.AlignLeft)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    def say(
        self, text: str, offer: str = "", do: Callable[[], object] | None = None
    ) -> None:
        """Show a message in place of the one before.

        `offer` are the words of a button that does `do`, and closes the message.
        """
        self._help = do
        self.words.setText(text)
        self.button.setText(offer)
        self.button.setVisible(bool(offer))
        self.setAccessibleName(text)
        self.show()
        announce(self, text)

    def _helped(self) -> None:
        do, self._help = self._help, None
        self.hide()
        if do is not None:
            do()

    def _dress(self) -> None:
        self._close.setIcon(icon("close", self._theme.palette.muted, 16))
