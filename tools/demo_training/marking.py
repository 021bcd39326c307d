"""Whether an answer is right.

Words must be the expected ones; a box counts when it covers the expected one well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from demo_training.packing import without_tags

NUMBERS = re.compile(r"\[\[(\d+),(\d+),(\d+),(\d+)\]\]")
ENOUGH = 0.5  # intersection over union of a box that counts, as in PASCAL VOC


@dataclass(frozen=True)
class Mark:
    """Whether an answer is right, and how well its box fits (None without a box)."""

    right: bool
    overlap: float | None = None


def overlap(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0, wide) * max(0, high)
    areas = [max(0, b[2] - b[0]) * max(0, b[3] - b[1]) for b in (first, second)]
    return shared / max(1, sum(areas) - shared)


def mark(
    said: str, expected: str, box: tuple[int, int, int, int] | None = None
) -> Mark:
    """The mark of an answer whose box tags were taken away.

    `box` is the exact one where the expected answer tells it rounded.
    """
    expected = without_tags(expected)
    wanted = NUMBERS.search(expected)
    if wanted is None:
        return Mark(said == expected)
    found = list(NUMBERS.finditer(said))
    if len(found) != 1:
        return Mark(False, 0.0)
    told, rounded = (tuple(map(int, match.groups())) for match in (found[0], wanted))
    fits = overlap(told, box or rounded)
    words = NUMBERS.sub("", said) == NUMBERS.sub("", expected)
    return Mark(words and fits >= ENOUGH, fits)
