"""An answer's text as widgets: blocks as they close, and the open end as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from ...conversation import Box
from ..palette import S
from .code import CodeCard
from .display import DisplayedFormula
from .markdown import (
    Block,
    Code,
    Formula,
    Prose,
    Stream,
    in_steps,
    joined_prose,
    marked,
)
from .plain import PlainText
from .prose import Prose as ProsePage
from .rich_text import INDENT
from .shared import Shared
from .stack import Stack

_Page = ProsePage | CodeCard | DisplayedFormula


class Body(Stack):
    """Shows a text, whole or growing; both ways give the same pages."""

    box_hovered = Signal(int)

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent, gap=S)
        self._shared = shared
        self._stream = Stream()
        self._pages: list[_Page] = []
        self._wanted: list[Block] = []
        self._tail: PlainText | None = None
        self._open_code: CodeCard | None = None
        self._text, self._boxes = "", ()
        self._whole = True
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(0)
        self._settling.timeout.connect(self.settle)

    @property
    def text(self) -> str:
        """The source of what is shown."""
        return self._text

    def shows(self, text: str, boxes: tuple[Box, ...]) -> bool:
        """Whether all of this text is there, with these boxes linked."""
        return self._whole and (text, boxes) == (self._text, self._boxes)

    @property
    def streams(self) -> bool:
        """Whether an open end is shown that a finished text does not have."""
        ends = (self._tail, self._open_code)
        return bool(self._stream.tail) or ends != (None, None)

    @property
    def shown(self) -> tuple[Block, ...]:
        """The blocks that are rendered."""
        return tuple(page.block for page in self._pages)

    @property
    def open_text(self) -> str:
        """The open end of a stream as it is shown."""
        return "" if self._tail is None else self._tail.text

    def rendered_text(self) -> str:
        """The words of all pages; a drawn formula is U+FFFC."""
        pages = [page for page in self._pages if isinstance(page, ProsePage)]
        return "\n".join(page.toPlainText() for page in pages)

    def set_text(self, text: str, boxes: tuple[Box, ...] = ()) -> Iterator[None]:
        """Show a finished text, a block at each step; what is there already stays."""
        self._text, self._boxes, self._whole = text, boxes, False
        self._stream = Stream()
        self._wanted = wanted = []
        for found in in_steps(marked(text, boxes)):
            if self._wanted is not wanted:
                return
            wanted += found
            yield
        same = 0
        for page, block in zip(self._pages, wanted, strict=False):
            if page.block != block:
                break
            same += 1
        number = same
        for block in wanted[same:]:
            if self._wanted is not wanted:
                return
            self._replace(number, block)
            number += 1
            yield
        for page in self._pages[number:]:
            self.take_out(page)
        del self._pages[number:]
        self._drop_tail()
        self._whole = True
        self.settle()

    def append(self, piece: str) -> None:
        """More of a text that streams."""
        self._text += piece
        self._add(self._stream.feed(marked(piece)))
        self._show_tail()
        self.settle()

    def finish(self) -> None:
        """The stream has ended: render its open end."""
        self._add(self._stream.finish())
        self._drop_tail()
        self.settle()

    def light(self, box: int) -> None:
        """Light the words that name a box, -1 for none."""
        for page in self._pages:
            if isinstance(page, ProsePage):
                page.light(box)

    def restyle(self) -> Iterator[None]:
        """Take on the theme, a page at each step."""
        for page in tuple(self._pages):
            page.restyle()
            yield
        for end in (self._tail, self._open_code):
            if end is not None:
                end.restyle()
        self.settle()

    def given_up(self) -> Iterator[None]:
        """Delete the pages, one at each step."""
        pages, self._pages = self._pages, []
        self._wanted = []
        for page in pages:
            self.take_out(page)
            yield

    def child_grew(self) -> None:
        """Formulas of many pages are drawn at once: place all pages once."""
        self._settling.start()

    def _add(self, closed: tuple[Block, ...]) -> None:
        for block in closed:
            last = self._pages[-1] if self._pages else None
            if isinstance(block, Prose) and isinstance(last, ProsePage):
                joined = joined_prose(last.block, block)
                if joined is not None:
                    last.set_block(joined)
                    continue
            if isinstance(block, Code) and not block.indent and self._open_code:
                card, self._open_code = self._open_code, None
                card.set_block(block)
                self._pages.append(card)
                continue
            self._replace(len(self._pages), block)

    def _replace(self, number: int, block: Block) -> None:
        page = self._page(block)
        if number < len(self._pages):
            old = self._pages[number]
            self.put(page, self.stacked.index(old), indent=_indent(block))
            self.take_out(old)
            self._pages[number] = page
        else:
            self.put(page, number, indent=_indent(block))
            self._pages.append(page)
        # Laid out now, so that placing all of them is quick.
        indent, width = _indent(block), self.width() - _indent(block)
        page.setGeometry(indent, self.height(), width, page.height_for(width))

    def _page(self, block: Block) -> _Page:
        if isinstance(block, Code):
            return CodeCard(block, self._shared, self)
        if isinstance(block, Formula):
            return DisplayedFormula(block, self._shared, self)
        page = ProsePage(block, self._shared, self)
        page.box_hovered.connect(self.box_hovered)
        return page

    def _show_tail(self) -> None:
        code, text = self._stream.open_code(), self._stream.tail.strip("\n")
        if code is None and self._open_code is not None:
            self.take_out(self._open_code)
            self._open_code = None
        if code is not None:
            if self._open_code is None:
                self._open_code = CodeCard(code, self._shared, self)
                self.put(self._open_code)
            self._open_code.set_block(code, closed=False)
            text = ""
        if self._tail is None and text:
            self._tail = PlainText(self._shared.theme, self)
            self.put(self._tail)
        if self._tail is not None:
            self._tail.set_text(text)
            self._tail.setVisible(bool(text))

    def _drop_tail(self) -> None:
        for end in (self._tail, self._open_code):
            if end is not None:
                self.take_out(end)
        self._tail = self._open_code = None


def _indent(block: Block) -> int:
    return 0 if isinstance(block, Prose) else INDENT * block.indent
