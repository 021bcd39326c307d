"""Plain text that grows at its end: questions, thinking, what still streams.

Long text is split into pages, so that no insertion lays out more than one.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QWidget

from ..palette import BODY, LINE_HEIGHT
from ..theme import Theme
from .paper import Paper
from .stack import Stack

_PAGE = 3000


class PlainText(Stack):
    """Words as they are, in a colour of the palette."""

    def __init__(self, theme: Theme, parent: QWidget, color: str = "text") -> None:
        super().__init__(parent)
        self._theme, self._color = theme, color
        self._text = ""
        self._pages: list[Paper] = []
        self._lengths: list[int] = []

    @property
    def text(self) -> str:
        """All of it."""
        return self._text

    def set_text(self, text: str) -> None:
        """Show this text; what only grew is appended."""
        if text == self._text:
            return
        if self._text and text.startswith(self._text):
            self.append(text[len(self._text) :])
            return
        for page in self._pages:
            self.take_out(page)
        self._text, self._pages, self._lengths = "", [], []
        self.append(text)

    def append(self, text: str) -> None:
        """Add words at the end."""
        self._text += text
        while text:
            if not self._pages or self._lengths[-1] >= _PAGE:
                self._new_page()
            room = _PAGE - self._lengths[-1]
            piece, text = _cut(text, room)
            self._insert(self._pages[-1], piece)
            self._lengths[-1] += len(piece)
            if text and self._lengths[-1] < _PAGE:
                self._lengths[-1] = _PAGE
        self.settle()

    def natural_width(self, most: int) -> int:
        """The width that its longest line takes, at most so much."""
        return max((page.natural_width(most) for page in self._pages), default=0)

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        for page in self._pages:
            cursor = QTextCursor(page.document())
            cursor.select(QTextCursor.SelectionType.Document)
            cursor.setCharFormat(self._format())
            page.changed()
        self.settle()

    def _new_page(self) -> None:
        if self._pages:
            # The break between two pages is a line's end already.
            cursor = QTextCursor(self._pages[-1].document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            if cursor.block().text() == "" and cursor.blockNumber() > 0:
                cursor.deletePreviousChar()
        page = Paper(self)
        page.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        lines = QTextBlockFormat()
        proportional = QTextBlockFormat.LineHeightTypes.ProportionalHeight
        lines.setLineHeight(LINE_HEIGHT, proportional.value)
        cursor = QTextCursor(page.document())
        cursor.setBlockFormat(lines)
        self._pages.append(page)
        self._lengths.append(0)
        self.put(page)

    def _insert(self, page: Paper, text: str) -> None:
        cursor = QTextCursor(page.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, self._format())
        page.changed()

    def _format(self) -> QTextCharFormat:
        words = QTextCharFormat()
        words.setFont(self._theme.font(BODY))
        words.setForeground(self._theme.color(self._color))
        return words


def _cut(text: str, room: int) -> tuple[str, str]:
    """A piece for the page and the rest; pages end where lines or words do."""
    if len(text) <= room:
        return text, ""
    for mark in ("\n", " "):
        end = text.rfind(mark, 0, room)
        if end > 0:
            return text[: end + 1], text[end + 1 :]
    return text[:room], text[room:]
