"""Which picture a sentence is about.

Knows how people and the model count pictures and pages in English and Chinese. Does not
know what is said about them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from mlx_glm45v.processing.prompt import MediaItem

_ORDINALS = {
    word: number
    for number, words in enumerate(
        (
            "first 1st \u4e00",
            "second 2nd \u4e8c",
            "third 3rd \u4e09",
            "fourth 4th \u56db",
            "fifth 5th \u4e94",
            "sixth 6th \u516d",
            "seventh 7th \u4e03",
            "eighth 8th \u516b",
            "ninth 9th \u4e5d",
            "tenth 10th \u5341",
        ),
        start=1,
    )
    for word in words.split()
}
_KINDS = "image|picture|photo|photograph|screenshot|page"
_WORDS = "|".join(word for word in _ORDINALS if word.isascii())
_MENTION = re.compile(
    rf"\b(?P<kind>{_KINDS})\s{{0,2}}(?:no\.\s?|number\s|#)?(?P<number>\d{{1,3}})\b"
    rf"|\b(?P<ordinal>{_WORDS})\s{{1,2}}(?P<kind_after>{_KINDS})\b"
    # "the n-th picture / page" and "picture n" in Chinese
    "|\u7b2c(?P<chinese>[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341]"
    "|[0-9]{1,3})(?P<measure>\u5f20|\u5e45|\u9875)"
    "|\u56fe(?:\u7247|\u50cf)?\\s?(?P<after>[0-9]{1,3})",
    re.I,
)


class Mentions:
    """The pictures that a text names, and where."""

    def __init__(self, text: str, items: Sequence[MediaItem]) -> None:
        """`items` must not be empty."""
        stills = [index for index, item in enumerate(items) if item.kind != "video"]
        self._default = (stills or range(len(items)))[-1]
        self._ends: list[int] = []
        self._items: list[int] = []
        for found in _MENTION.finditer(text):
            item = _item(found, items, stills)
            if item is not None:
                self._ends.append(found.end())
                self._items.append(item)

    def item_at(self, place: int) -> int:
        """Index of the picture named last before `place`; else of the last picture."""
        before = bisect_right(self._ends, place)
        return self._items[before - 1] if before else self._default


def _item(
    found: re.Match[str], items: Sequence[MediaItem], stills: Sequence[int]
) -> int | None:
    kind = (found["kind"] or found["kind_after"] or "").lower()
    word = found["number"] or found["ordinal"] or found["chinese"] or found["after"]
    number = _ORDINALS.get(word.lower()) or int(word)
    is_page = kind == "page" or found["measure"] == "\u9875"
    wanted = "page" if is_page else "image"
    of_kind = [index for index in stills if items[index].kind == wanted]
    if is_page:
        # A range of pages keeps the document's own numbers in the names.
        for index in of_kind:
            if items[index].name.endswith(f", page {number}"):
                return index
    candidates = of_kind or stills
    return candidates[number - 1] if 1 <= number <= len(candidates) else None
