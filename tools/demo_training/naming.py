"""Where a text names a figure: a hint for the decoder while it learns to look there.

Knows the words for shapes and colours. Does not know tokens or models.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlx_glm45v.demo.scenes import COLOURS, SHAPES

_COLOURS = tuple(COLOURS)
_PHRASES = re.compile(
    rf"\b(?:(?P<colour>{'|'.join(_COLOURS)})\b(?: (?:(?P<noun>{'|'.join(SHAPES)})s?"
    rf"|(?P<any>shape|one))\b)?|(?P<shape>{'|'.join(SHAPES)})s?\b)"
)


class Mention(NamedTuple):
    """The last character of a word that names figures, by shape, colour or both.

    Shape and colour are 1-based as in `cells`, 0 where the text leaves them open.
    """

    end: int
    shape: int
    colour: int


def mentions_of(text: str) -> list[Mention]:
    """Every naming of a figure in the text."""
    found = []
    for match in _PHRASES.finditer(text):
        noun = match["noun"] or match["shape"]
        shape = SHAPES.index(noun) + 1 if noun else 0
        colour = _COLOURS.index(match["colour"]) + 1 if match["colour"] else 0
        if match["any"]:
            found.append(Mention(match.end("colour") - 1, shape, colour))
        found.append(Mention(match.end() - 1, shape, colour))
    return found
