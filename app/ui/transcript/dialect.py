"""The Markdown of answers: CommonMark with tables, strikethrough and formulas.

Raw HTML is text. Link reference definitions are text, too: so no block changes what an
earlier one means, and a block that a stream has closed stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from markdown_it import MarkdownIt

from .formulas import add_formulas

# Deeper the parser does not go: it would drop words.
DEPTH = 60

_LINE_ENDS = re.compile("\r\n|\r")


def unified(text: str) -> str:
    """The text with one kind of line ends."""
    return _LINE_ENDS.sub("\n", text)


@cache
def parser() -> MarkdownIt:
    """Finds all there is. A line's end is a line's end."""
    return _commonmark({"html": False, "breaks": True, "maxNesting": DEPTH})


@cache
def block_parser() -> MarkdownIt:
    """Finds where blocks begin and leaves out what stands in them."""
    found = _commonmark({"html": False, "maxNesting": DEPTH})
    found.core.ruler.enableOnly(["normalize", "block"])
    return found


def _commonmark(options: dict[str, bool | int]) -> MarkdownIt:
    found = MarkdownIt("commonmark", options)
    found.enable(["table", "strikethrough"]).disable("reference")
    add_formulas(found)
    return found
