"""The field for words: grows from one line to eight, and knows its keys.

Does not know whether a message may be sent; it says what the person wants.
"""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragMoveEvent,
    QFocusEvent,
    QFontMetricsF,
    QInputMethodEvent,
    QKeyEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

from .drops import offers, sources_of
from .pasted import MOST_SHOWN

MOST_LINES = 8
# No context holds more.
MOST_CHARACTERS = 400_000
_CHARACTERS_PER_TOKEN = 3.5
# What is shorter than this goes into the field even where that is long.
_SHORT = 1000


def about_tokens(characters: int) -> int:
    """About how many tokens so many characters of plain text are."""
    return round(characters / _CHARACTERS_PER_TOKEN)


class MessageField(QPlainTextEdit):
    """Enter submits, Shift+Enter breaks the line, Esc cancels, Up asks for the last."""

    submitted = Signal()
    cancelled = Signal()
    earlier_requested = Signal()
    sources_pasted = Signal(object)  # Offered
    too_long = Signal(int)  # characters
    long_pasted = Signal(str)  # too long to stand in the field
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._composing = False
        self._hints: tuple[str, ...] = ()
        self.setProperty("role", "bare")
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(2)
        self.viewport().setAutoFillBackground(False)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        self._grow()

    def sizeHint(self) -> QSize:
        return QSize(240, self._height(self._lines()))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self._height(1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        # While an input method composes, Enter and Esc are its own.
        if self._composing:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shifted = Qt.KeyboardModifier.ShiftModifier
            if modifiers & (shifted | Qt.KeyboardModifier.AltModifier):
                self.textCursor().insertBlock()
                self.ensureCursorVisible()
            else:
                self.submitted.emit()
        elif key == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif key == Qt.Key.Key_Up and self.document().isEmpty():
            self.earlier_requested.emit()
        else:
            super().keyPressEvent(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return offers(source) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        # An office program adds a picture to every text: there the text is meant.
        # Asked for once: each time copies all of it.
        text = source.text() if source.hasFormat("text/plain") else ""
        written = bool(text) and not text.isspace()
        found = sources_of(source)
        if found.paths or (found and not written):
            self.sources_pasted.emit(found)
            return
        self.insert_words(text or source.text())

    def set_hints(self, *hints: str) -> None:
        """What stands in the empty field: the first of these that fits on its line."""
        self._hints = hints
        self._hint()

    def insert_words(self, text: str) -> None:
        """Put in text at the cursor; a long one is said and belongs elsewhere."""
        total = len(text) + self.document().characterCount() - 1
        if total - len(self.textCursor().selectedText()) > MOST_CHARACTERS:
            self.too_long.emit(len(text))
            return
        full = total > 2 * MOST_SHOWN and len(text) > _SHORT
        if len(text) > MOST_SHOWN or full:
            self.long_pasted.emit(text)
            return
        self.textCursor().insertText(text)
        self.ensureCursorVisible()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._leave_to_window(event)
        if event.isAccepted():
            super().dragEnterEvent(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._leave_to_window(event)
        if event.isAccepted():
            super().dragMoveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._grow()
        self._hint()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Qt keeps a line to scroll by even where all of them are in sight.
        if self.document().size().height() > MOST_LINES:
            super().wheelEvent(event)
        else:
            event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._grow()
            self._hint()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._composing = False
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def _leave_to_window(self, event: QDragMoveEvent) -> None:
        """Files dropped on the field are the window's, like those dropped beside it."""
        event.setAccepted(not offers(event.mimeData()))

    def _hint(self) -> None:
        room = self.viewport().width() - 2 * self.document().documentMargin()
        wide = self.fontMetrics().horizontalAdvance
        fitting = [hint for hint in self._hints if wide(hint) <= room]
        shown = (fitting or list(self._hints[-1:]) or [""])[0]
        if shown != self.placeholderText():
            self.setPlaceholderText(shown)
            # Qt paints it anew only where it appears or goes.
            self.viewport().update()

    def _lines(self) -> int:
        return max(1, min(MOST_LINES, round(self.document().size().height())))

    def _height(self, lines: int) -> int:
        margins = self.contentsMargins()
        around = 2 * self.document().documentMargin() + 2 * self.frameWidth()
        inside = ceil(lines * self._line_height() + around)
        return inside + margins.top() + margins.bottom()

    def _line_height(self) -> float:
        """A line as laid out, which is more than the metrics' rounded spacing."""
        layout = self.document().firstBlock().layout()
        if layout.lineCount():
            return layout.lineAt(0).height()
        return ceil(QFontMetricsF(self.font()).lineSpacing())

    def _grow(self) -> None:
        over = self.document().size().height() > MOST_LINES
        policy = Qt.ScrollBarPolicy
        shown = policy.ScrollBarAsNeeded if over else policy.ScrollBarAlwaysOff
        if self.verticalScrollBarPolicy() != shown:
            self.setVerticalScrollBarPolicy(shown)
        height = self._height(self._lines())
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)
        if not over:
            # It scrolled to the cursor before it had grown.
            self.verticalScrollBar().setValue(0)
