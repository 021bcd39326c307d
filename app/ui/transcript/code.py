"""A block of code as a card: its language, a button that copies, sideways scrolling."""

from __future__ import annotations

import math
from collections.abc import Iterator

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QMouseEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QToolButton,
    QWidget,
)
from shiboken6 import isValid

from ..icons import dress
from ..palette import XS, XXS, S
from ..theme import Theme, set_role
from .highlighting import Spans
from .markdown import Code
from .shared import Shared
from .stack import Stack

_COLORS = {
    "comment": "muted",
    "keyword": "accent",
    "string": "ok",
    "number": "warn",
    "name": "text",
    "deleted": "danger",
}
_COPIED = 1500  # milliseconds that the tick is shown


class CodeCard(Stack):
    """Plain at once, coloured when the other thread has looked at it."""

    def __init__(self, block: Code, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent, margins=(1, 1, 1, 1))
        set_role(self, "card")
        self._shared, self._block = shared, block
        self._closed = True
        head = QWidget(self)
        self._language = QLabel(head)
        set_role(self._language, "meta")
        self._language.setTextFormat(Qt.TextFormat.PlainText)
        self._copy = QToolButton(head)
        self._copy.setToolTip(self.tr("Copy the code"))
        self._copy.setAccessibleName(self.tr("Copy the code"))
        self._copy.clicked.connect(self._copied)
        row = QHBoxLayout(head)
        row.setContentsMargins(S, 0, XXS, 0)
        row.addWidget(self._language, 1)
        row.addWidget(self._copy)
        self._page = _CodePage(shared, self)
        self.put(head)
        self.put(self._page)
        self._back = QTimer(self)
        self._back.setSingleShot(True)
        self._back.timeout.connect(self._dress)
        shared.highlights.found.connect(self._found)
        self._dress()
        self.set_block(block)

    @property
    def block(self) -> Code:
        """What it shows."""
        return self._block

    @property
    def coloured(self) -> bool:
        """Whether its colours are there."""
        return self._page.coloured

    def set_block(self, block: Code, *, closed: bool = True) -> None:
        """Show code; it is coloured once it is `closed`."""
        self._block, self._closed = block, closed
        self._language.setText(block.language or self.tr("text"))
        self._page.set_code(block.text)
        if closed and (spans := self._shared.highlights.spans(block)) is not None:
            self._page.color(spans)
        self.settle()

    def restyle(self) -> None:
        """Take on the theme's colours and sizes."""
        self._dress()
        self._page.restyle()
        self.settle()

    def _dress(self) -> None:
        color, size = self._shared.theme.palette.muted, self._shared.theme.pixels(16)
        dress(self._copy, "copy", color, size)

    def _copied(self) -> None:
        self._shared.wishes.copy.emit(self._block.text)
        size = self._shared.theme.pixels(16)
        dress(self._copy, "check", self._shared.theme.palette.ok, size)
        self._back.start(_COPIED)

    def _found(self, block: Code) -> None:
        if self._closed and block == self._block:
            self._page.color(self._shared.highlights.spans(block) or ())


class _CodePage(QPlainTextEdit):
    """The code itself: as tall as its lines, scrolled sideways only."""

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self._slices = shared.slices
        self._theme = theme = shared.theme
        self._code = ""
        self._colors = _Colors(self.document(), theme)
        self._widest: float | None = None
        set_role(self, "bare")
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(self.tr("Code"))
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.setViewportMargins(S, 0, S, XS)
        self._use_font()

    @property
    def coloured(self) -> bool:
        return bool(self._colors.spans)

    def set_code(self, text: str) -> None:
        if text == self._code:
            return
        if self._code and text.startswith(self._code):
            cursor = QTextCursor(self.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(text[len(self._code) :])
        else:
            self._colors.spans = ()
            self.setPlainText(text)
        self._code, self._widest = text, None

    def color(self, spans: Spans) -> None:
        self._colors.spans = spans
        self._slices.add(self._coloured(spans))

    def restyle(self) -> None:
        self._use_font()
        if self._colors.spans:
            self._slices.add(self._coloured(self._colors.spans))

    def _coloured(self, spans: Spans) -> Iterator[None]:
        """Colour a few lines at each step."""
        line = 0
        while isValid(self) and self._colors.spans is spans:
            for _ in range(20):
                block = self.document().findBlockByNumber(line)
                if not block.isValid():
                    return
                self._colors.rehighlightBlock(block)
                line += 1
            yield

    def height_for(self, width: int) -> int:
        measure = QFontMetricsF(self._theme.code_font())
        if self._widest is None:
            lines = sorted(self._code.split("\n"), key=len)[-3:]
            widths = (measure.horizontalAdvance(line.expandtabs(4)) for line in lines)
            self._widest = max(widths, default=0.0)
        bar = self.horizontalScrollBar().sizeHint().height()
        height = self.blockCount() * math.ceil(measure.lineSpacing()) + XS + XXS
        return height + (bar if self._widest + 2 * S > width else 0)

    def _use_font(self) -> None:
        # The document's own: the style sheet takes the widget's font away.
        self.document().setDefaultFont(self._theme.code_font())
        measure = QFontMetricsF(self._theme.code_font())
        self.setTabStopDistance(4 * measure.horizontalAdvance(" "))
        self._widest = None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()  # the message has one for all its parts

    def wheelEvent(self, event: QWheelEvent) -> None:
        if abs(event.angleDelta().x()) > abs(event.angleDelta().y()):
            super().wheelEvent(event)
        else:
            event.ignore()

    def scrollContentsBy(self, dx: int, dy: int) -> None:  # noqa: ARG002
        super().scrollContentsBy(dx, 0)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._use_font()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        # Dragging out of the card must not scroll its lines away.
        inside = self.viewport().rect().contains(event.position().toPoint())
        if inside or event.buttons() == Qt.MouseButton.NoButton:
            super().mouseMoveEvent(event)


class _Colors(QSyntaxHighlighter):
    """Spans that are known already, as colours of the theme."""

    def __init__(self, document: QTextDocument, theme: Theme) -> None:
        super().__init__(document)
        self._theme = theme
        self.spans: Spans = ()

    def highlightBlock(self, text: str) -> None:  # noqa: ARG002
        number = self.currentBlock().blockNumber()
        if number >= len(self.spans):
            return
        for start, length, kind in self.spans[number]:
            form = QTextCharFormat()
            form.setForeground(QColor(self._theme.color(_COLORS[kind])))
            if kind == "name":
                form.setFontWeight(600)
            self.setFormat(start, length, form)
