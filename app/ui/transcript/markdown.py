"""An answer's text as block values: words, code, formulas. Pure, knows no widgets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from markdown_it.token import Token

from ...conversation import Box
from .closing import closed
from .dialect import DEPTH, parser, unified
from .unfolding import pieces

# Noncharacters, which no text holds, stand around what names a box.
BOX_OPEN, BOX_CLOSE, BOX_NUMBER = "\ufdd0", "\ufdd1", "\ufdd2"
_UNWANTED = re.compile("[\ud800-\udfff\ufdd0-\ufdd2\0]")
_BOX_MARKS = re.compile(f"{BOX_OPEN}\\d+{BOX_NUMBER}|{BOX_CLOSE}")
# Neighbouring paragraphs share a widget up to here, so that they can be selected
# together and one layout stays short.
PROSE_LENGTH = 3000
_STEP = 2000
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`\n]*)\n")


@dataclass(frozen=True)
class Prose:
    """Paragraphs, headings, lists, quotes and tables, as their parsed tokens."""

    source: str
    tokens: tuple[Token, ...] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Code:
    """A block of code; `language` is all that stands behind the opening fence."""

    language: str
    text: str
    indent: int = 0  # how many lists it stands in


@dataclass(frozen=True)
class Formula:
    """LaTeX on its own (`displayed`) or in a line; `source` is how it was written."""

    latex: str
    displayed: bool
    source: str = field(compare=False)
    indent: int = 0


Block = Prose | Code | Formula


def blocks(text: str) -> tuple[Block, ...]:
    """All blocks of a finished text. Any text is possible."""
    return tuple(grouped(_blocks(text)))


def in_steps(text: str) -> Iterator[tuple[Block, ...]]:
    """The same with a rest after every few lines; the last step has all blocks."""
    stream, single = Stream(), []
    for start in range(0, len(text), _STEP):
        single += stream.feed(text[start : start + _STEP])
        yield ()
    single += stream.finish()
    yield tuple(grouped(single))


def grouped(single: Iterable[Block]) -> Iterator[Block]:
    """Neighbouring words joined. The start of a text gives the start of the result."""
    last: Prose | None = None
    for block in single:
        if not isinstance(block, Prose):
            if last is not None:
                yield last
                last = None
            yield block
        elif last is None:
            last = block
        elif (joined := joined_prose(last, block)) is None:
            yield last
            last = block
        else:
            last = joined
    if last is not None:
        yield last


def joined_prose(first: Prose, second: Prose) -> Prose | None:
    """Both in one, None where that gets too long."""
    if len(first.source) + len(second.source) > PROSE_LENGTH:
        return None
    source = f"{first.source}\n\n{second.source}"
    return Prose(source, first.tokens + second.tokens)


def marked(text: str, boxes: tuple[Box, ...] = ()) -> str:
    """The text with marks around what names a box, for `rich_text` to link."""
    text = clean(text)
    ends = len(text)
    for number, box in sorted(enumerate(boxes), key=lambda item: -item[1].start):
        if not 0 <= box.start < box.stop <= ends:
            continue
        ends = box.start
        named = f"{BOX_OPEN}{number}{BOX_NUMBER}{text[box.start : box.stop]}{BOX_CLOSE}"
        text = text[: box.start] + named + text[box.stop :]
    return text


def clean(text: str) -> str:
    """Halves of characters and our own marks as U+FFFD; lengths stay."""
    return _UNWANTED.sub("\ufffd", text)


def without_marks(text: str) -> str:
    """The text without the marks of `marked`."""
    return _BOX_MARKS.sub("", text)


class Stream:
    """A text that grows: gives each block when it closes, keeps the open end."""

    def __init__(self) -> None:
        self.tail = ""

    def feed(self, piece: str) -> tuple[Block, ...]:
        """Take more text; the single blocks that it has closed."""
        self.tail += piece
        if "\n" not in piece:
            return ()
        cut = closed(self.tail)
        settled, self.tail = self.tail[:cut], self.tail[cut:]
        return _blocks(settled)

    def finish(self) -> tuple[Block, ...]:
        """The single blocks of the open end, which nothing follows."""
        tail, self.tail = self.tail, ""
        return _blocks(tail)

    def open_code(self) -> Code | None:
        """The open end as code where a fence has begun."""
        found = _FENCE.match(self.tail.lstrip("\n"))
        if found is None:
            return None
        text = self.tail.lstrip("\n")[found.end() :]
        head, line, last = text.rpartition("\n")
        if last.strip() and last.strip() in found[1]:
            text = head + line
        return Code(found[2].strip(), text.removesuffix("\n"))


def _blocks(text: str) -> tuple[Block, ...]:
    text = unified(text)
    tokens = parser().parse(text)
    if any(token.level >= DEPTH - 3 for token in tokens):
        return (Code("", without_marks(text)),)
    lines = text.split("\n")
    return tuple(
        _block(depth, tuple(piece), lines)
        for group in _top_level(tokens)
        for depth, piece in pieces(group, PROSE_LENGTH)
    )


def _block(depth: int, group: tuple[Token, ...], lines: list[str]) -> Block:
    first = group[0]
    if first.type in ("fence", "code_block"):
        content = without_marks(first.content).removesuffix("\n")
        return Code(without_marks(first.info).strip(), content, depth)
    if first.type == "formula_block":
        latex, source = without_marks(first.content), without_marks(first.markup)
        return Formula(latex, True, source, depth)
    maps = [token.map for token in group if token.map and token.nesting == 0]
    maps = maps or [first.map or [0, 0]]
    start, stop = min(m[0] for m in maps), max(m[1] for m in maps)
    return Prose("\n".join(lines[start:stop]).strip("\n"), group)


def _top_level(tokens: list[Token]) -> Iterator[tuple[Token, ...]]:
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0 and token.type != "inline":
            yield tuple(group)
            group = []
