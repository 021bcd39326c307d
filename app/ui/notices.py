"""A line over the conversation: what went wrong outside of it. Closed by hand."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from .announce import announce
from .icons import dress
from .palette import COLUMN_WIDTH, XS, L, M, S
from .theme import Theme, set_role
from .words import breakable


class NoticeBar(QWidget):
    """Shows one message at a time, as wide as the conversation's column.

    A button may offer what helps.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._help: Callable[[], object] | None = None
        self._said = ""
        frame = QFrame(self)
        set_role(frame, "banner")
        frame.setMaximumWidth(COLUMN_WIDTH)
        self.words = QLabel(frame)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton(frame)
        self.button.clicked.connect(self._helped)
        self._close = QToolButton(frame)
        self._close.setToolTip(self.tr("Close"))
        self._close.setAccessibleName(self.tr("Close"))
        self._close.clicked.connect(self.hide)
        # Below the words, which need the width.
        grid = QGridLayout(frame)
        grid.setContentsMargins(M, XS, XS, XS)
        grid.setHorizontalSpacing(S)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.words, 0, 0)
        grid.addWidget(self._close, 0, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.button, 1, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(L, S, L, 0)
        row.addStretch(0)
        row.addWidget(frame, 1)
        row.addStretch(0)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    @property
    def text(self) -> str:
        """What was said last."""
        return self._said

    def say(
        self, text: str, offer: str = "", do: Callable[[], object] | None = None
    ) -> None:
        """Show a message in place of the one before.

        `offer` are the words of a button that does `do`, and closes the message.
        """
        self._help = do
        self._said = text
        # A path may break: it would make the window as wide as it is long.
        self.words.setText(breakable(text))
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
        size = self._theme.pixels(16)
        dress(self._close, "close", self._theme.palette.muted, size)
