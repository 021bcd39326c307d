"""What the person said: a soft bubble at the right, media above the words."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QWidget

from ...conversation import Turn
from ..palette import XS, XXS, M, S
from ..theme import set_role
from ..words import grouped
from .markdown import clean
from .plain import PlainText
from .row import MessageRow
from .shared import Shared
from .stack import Stack
from .thumbnails import Thumbnails

# Longer questions, pasted texts mostly, open on a click.
_FOLDED = 4000
_SHARE = 0.85


class QuestionRow(MessageRow):
    """A question with its thumbnails."""

    def __init__(self, turn: Turn, shared: Shared, parent: QWidget) -> None:
        super().__init__(turn, shared, parent)
        self._line = _Right(shared, self)
        self.put(self._line)
        self.put(self.tools)

    def content(self) -> Iterator[None]:
        self._line.bubble.show_turn(self._turn)
        self.settle()
        yield

    def restyle(self) -> Iterator[None]:
        self._line.bubble.restyle()
        self.tools.restyle()
        self.settle()
        yield

    def shown_text(self) -> str:
        """The words that are unfolded."""
        return self._line.bubble.text

    def unfold(self) -> None:
        """Show all of a long question."""
        self._line.bubble.unfold()

    def reload_pictures(self) -> None:
        self._line.bubble.reload_pictures()


class _Right(QWidget):
    """Keeps the bubble as narrow as its words, at the right."""

    grew = Signal()

    def __init__(self, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        self.bubble = _Bubble(shared, self)
        self.bubble.grew.connect(self._settle)

    def height_for(self, width: int) -> int:
        return self.bubble.height_for(self._width(width))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _settle(self) -> None:
        self._place()
        self.grew.emit()

    def _place(self) -> None:
        width = self._width(self.width())
        left = self.width() - width
        self.bubble.setGeometry(left, 0, width, self.bubble.height_for(width))

    def _width(self, width: int) -> int:
        return self.bubble.natural_width(round(width * _SHARE))


class _Bubble(Stack):
    def __init__(self, shared: Shared, parent: QWidget) -> None:
        # A line's extra height is below its words, so that less is needed there.
        super().__init__(parent, gap=XS, margins=(M, S, M, XXS))
        set_role(self, "bubble")
        self._shared = shared
        self._text = ""
        self._media: Thumbnails | None = None
        self._words: PlainText | None = None
        self._more: QPushButton | None = None

    @property
    def text(self) -> str:
        return "" if self._words is None else self._words.text

    def show_turn(self, turn: Turn) -> None:
        for child in self.stacked:
            self.take_out(child)
        self._media = self._words = self._more = None
        self._text = clean(turn.text)
        if turn.attachments:
            self._media = Thumbnails(turn.attachments, self._shared, self)
            self.put(self._media)
        if turn.text or not turn.attachments:
            self._words = PlainText(self._shared.theme, self)
            self.put(self._words)
            self._words.set_text(self._text[:_FOLDED])
        if len(self._text) > _FOLDED:
            words = self.tr("Show all {} characters").format(grouped(len(self._text)))
            self._more = QPushButton(words, self)
            set_role(self._more, "link")
            self._more.clicked.connect(self.unfold)
            self.put(self._more)

    def natural_width(self, most: int) -> int:
        left, _, right, _ = self._margins
        inner = most - left - right
        widths = [
            part.natural_width(inner)
            for part in (self._media, self._words)
            if part is not None
        ]
        if self._more is not None:
            widths.append(self._more.sizeHint().width())
        return min(max(widths, default=0) + left + right, most)

    def restyle(self) -> None:
        for part in (self._media, self._words):
            if part is not None:
                part.restyle()
        self.settle()

    def reload_pictures(self) -> None:
        if self._media is not None:
            self._media.reload()

    def unfold(self) -> None:
        if self._more is not None:
            self.take_out(self._more)
            self._more = None
            self._shared.slices.add(self._rest(), first=True)

    def _rest(self) -> Iterator[None]:
        for start in range(_FOLDED, len(self._text), _FOLDED):
            if self._words is None:
                return
            self._words.append(self._text[start : start + _FOLDED])
            self.settle()
            yield
