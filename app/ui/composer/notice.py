"""One line inside the composer that says what could not be done, and closes."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from ..announce import announce
from ..icons import icon
from ..palette import META, XS, XXS
from ..theme import Theme


class Notice(QFrame):
    """Hidden until it has something to say."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setProperty("role", "banner")
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._close = QToolButton(self)
        self._close.setToolTip(self.tr("Close"))
        self._close.setAccessibleName(self.tr("Close this message"))
        self._close.setIconSize(QSize(META + 2, META + 2))
        self._close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(XS + XXS, XXS, XXS, XXS)
        row.addWidget(self._words, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        theme.changed.connect(self._dress)
        self._dress()
        self.hide()

    @property
    def text(self) -> str:
        """What it says, empty when hidden."""
        return "" if self.isHidden() else self._words.text()

    def say(self, text: str) -> None:
        """Show a line; an empty one hides it."""
        self._words.setText(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))
        announce(self, text)

    def _dress(self) -> None:
        self._close.setIcon(icon("close", self._theme.palette.text, META + 2))
