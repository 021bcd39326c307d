"""How much of a growing text is settled: which of its blocks nothing can change."""

from __future__ import annotations

import re

from markdown_it.token import Token

from .dialect import block_parser, unified
from .formulas import OPEN, STREAMING

_ENDED_BY_EMPTY_LINE = {
    "paragraph_open",
    "heading_open",
    "table_open",
    "blockquote_open",
    "hr",
    "fence",
    "formula_block",
}
_LINE_END = re.compile("\r\n|\r|\n")


def closed(text: str) -> int:
    """How many characters belong to blocks that later lines cannot change."""
    whole = text[: text.rfind("\n") + 1]
    if not whole.strip():
        return 0
    tokens = block_parser().parse(unified(whole), {STREAMING: True})
    groups = [t for t in tokens if t.level == 0 and t.nesting >= 0 and t.map]
    position = 0
    for _ in range(_settled_lines(groups, whole.count("\n"))):
        position = _LINE_END.search(text, position).end()  # type: ignore[union-attr]
    return position


def _settled_lines(groups: list[Token], lines: int) -> int:
    """How many of a text's lines stand in settled blocks."""
    spans = [token.map for token in groups if token.map]
    if not spans:
        return 0
    last, (start, stop) = groups[-1], spans[-1]
    if last.meta.get(OPEN) and len(spans) > 1 and spans[-2][1] == start:
        # Never closed it would be no formula, but more words of what it follows.
        return spans[-2][0]
    # An empty line ends most blocks; lists and indented code may go on behind it.
    return stop if last.type in _ENDED_BY_EMPTY_LINE and stop < lines else start
