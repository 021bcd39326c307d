"""A list that holds code, or is long, as several pieces below one another.

Code in a list gets a card of its own; what follows it goes on at the same indent and
with the next number. Knows markdown-it's tokens only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it.token import Token

# In the `meta` of a table that fills the column: how many columns it has.
WIDE = "wide"
_TABLE_ROWS = 40
CONTINUED_OPEN, CONTINUED_CLOSE = "continued_open", "continued_close"
_OWN = {"fence", "code_block", "formula_block"}
_LISTS = {"bullet_list_open", "ordered_list_open"}


@dataclass
class _Level:
    """An open list: the number of its next item, and how far it is written."""

    opening: Token
    number: int
    # "open": its tag is written; "item": an item goes on without one; "waiting": the
    # tag is due with the next item.
    state: str = "open"
    in_item: bool = False


def pieces(group: tuple[Token, ...], longest: int) -> Iterator[tuple[int, list[Token]]]:
    """(depth, tokens) of each piece: balanced prose, or one token with its own card."""
    if group[0].type == "table_open" and _rows(group) > _TABLE_ROWS:
        yield from ((0, piece) for piece in _table(group))
        return
    if group[0].type not in _LISTS:
        yield 0, list(group)
        return
    yield from _Unfolding(longest).run(group)


def _rows(group: tuple[Token, ...]) -> int:
    return sum(token.type == "tr_open" for token in group)


def _table(group: tuple[Token, ...]) -> Iterator[list[Token]]:
    """A long table as several with one head; all columns get the same width."""
    kinds = [token.type for token in group]
    body = kinds.index("tbody_open") + 1
    head, tail = list(group[:body]), list(group[-2:])
    head[0] = head[0].copy()
    head[0].meta = {WIDE: sum(kind == "th_open" for kind in kinds)}
    rows: list[Token] = []
    count = 0
    for token in group[body:-2]:
        rows.append(token)
        count += token.type == "tr_close"
        if count == _TABLE_ROWS:
            yield head + rows + tail
            rows, count = [], 0
    if rows:
        yield head + rows + tail


class _Unfolding:
    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._levels: list[_Level] = []
        self._piece: list[Token] = []
        self._others = 0  # open quotes and tables, which are not taken apart
        self._length = 0

    def run(self, group: tuple[Token, ...]) -> Iterator[tuple[int, list[Token]]]:
        for token in group:
            if token.type in _OWN and not self._others:
                yield from self._flush()
                yield len(self._levels), [token]
            elif self._others or token.type not in _STEPS:
                self._others += token.nesting * (token.type in _OPAQUE)
                self._length += len(token.content)
                self._piece.append(token)
            else:
                if token.type == "list_item_open" and self._length > self._longest:
                    yield from self._flush()
                _STEPS[token.type](self, token)
        if self._written():
            yield 0, self._piece

    def _open_list(self, token: Token) -> None:
        start = token.attrs.get("start")
        number = 1 if start is None else int(start)
        self._levels.append(_Level(token, number))
        self._piece.append(token)

    def _close_list(self, token: Token) -> None:
        if self._levels.pop().state == "open":
            self._piece.append(token)

    def _open_item(self, token: Token) -> None:
        level = self._levels[-1]
        if level.state == "waiting":
            opening = level.opening.copy()
            opening.attrs = dict(opening.attrs)
            if opening.tag == "ol":
                opening.attrs["start"] = level.number
            self._piece.append(opening)
            level.state = "open"
        level.number += 1
        level.in_item = True
        self._piece.append(token)

    def _close_item(self, token: Token) -> None:
        level = self._levels[-1]
        level.in_item = False
        if level.state == "item":
            self._piece.append(Token(CONTINUED_CLOSE, "div", -1))
            level.state = "waiting"
        else:
            self._piece.append(token)

    def _flush(self) -> Iterator[tuple[int, list[Token]]]:
        closings = []
        for level in reversed(self._levels):
            if level.state == "item":
                closings.append(Token(CONTINUED_CLOSE, "div", -1))
            elif level.state == "open":
                if level.in_item:
                    closings.append(Token("list_item_close", "li", -1))
                closings.append(Token("list_close", level.opening.tag, -1))
        if self._written():
            yield 0, self._piece + closings
        self._piece, self._length = [], 0
        for level in self._levels:
            level.state = "item" if level.in_item else "waiting"
            if level.in_item:
                self._piece.append(Token(CONTINUED_OPEN, "div", 1))

    def _written(self) -> bool:
        """Whether the piece holds anything but what reopens lists."""
        kinds = {token.type for token in self._piece}
        return bool(kinds - {CONTINUED_OPEN, CONTINUED_CLOSE})


_STEPS = {
    "bullet_list_open": _Unfolding._open_list,
    "ordered_list_open": _Unfolding._open_list,
    "bullet_list_close": _Unfolding._close_list,
    "ordered_list_close": _Unfolding._close_list,
    "list_item_open": _Unfolding._open_item,
    "list_item_close": _Unfolding._close_item,
}
_OPAQUE = {"blockquote_open", "blockquote_close", "table_open", "table_close"}
