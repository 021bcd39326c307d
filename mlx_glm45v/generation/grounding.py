"""Grounding boxes in an answer, in pixels of the picture they are about.

Knows how the model writes boxes: four numbers from 0 to 1000, relative to the width and
height of a picture, in brackets of many styles. Does not know which picture is meant
(`mentions` does) nor pixels.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.mentions import Mentions
from mlx_glm45v.generation.splitter import Splitter
from mlx_glm45v.processing.prompt import MediaItem

_SCALE = 1000.0
# How far a box that is surely one may reach over the edge; further out it is none.
_SLACK = 50.0

# One character for one, so that places in the text stay what they are.
_NARROW = str.maketrans(
    "\uff08\uff09\uff3b\uff3d\u3010\u3011\uff5b\uff5d\u3008\u3009\u300a\u300b"
    "\uff0c\u3001\uff1a\uff1b",
    "()[][]{}<><>,,:;",
)

_NUMBER = r"([-+]?\d{1,6}(?:\.\d{1,9})?)"
_COMMA = r"(?:\s{0,4}[,;]\s{0,4}|\s{1,4})"
_OPEN, _CLOSE = r"[\[({<]\s{0,4}", r"\s{0,4}[\])}>]"
_LIST = _COMMA.join([_NUMBER] * 4)
_POINT = _OPEN + _NUMBER + _COMMA + _NUMBER + _CLOSE
_BOX = re.compile(rf"{_OPEN}{_LIST}{_CLOSE}|{_POINT}\s{{0,4}}[,;~-]?\s{{0,4}}{_POINT}")
_BARE_LIST = re.compile(rf"\s*{_LIST}\s*")
_KEY = re.compile(r"(?:bbox|box)\w{0,12}[\"']?\s{0,4}[:=]\s{0,4}[\[(]?\s{0,4}$", re.I)
_FENCE = re.compile(r"^[ \t]{0,3}```[ \t]*(\w*)", re.M)

_JSON_LABEL = re.compile(
    r"[\"'](?:label|name|object|category|class|text|text_content)[\"']"
    r"\s{0,4}:\s{0,4}[\"']([^\"'\n]{1,200})[\"']"
)
_PHRASE_EDGE = re.compile(r"[\n\])}>|.!?;\u3002\uff01\uff1f,](?:\s|$|(?=[^\d]))")
_PHRASE_START = re.compile(
    r"^(?:[\s\-*#>\"'`:(\[{<\u2022\u2013\u2014_]|\d{1,3}[.)]\s|(?:the|a|an|and|"
    r"(?:here|there)\s+(?:is|are))\b)+",
    re.I,
)
_PHRASE_END = re.compile(
    r"(?:[\s\-*\"'`:=,(\[{<\u2013\u2014_]|\b(?:is|are|here|at|in|located|found|coordinates?|"
    r"bounding|box|bbox\w*|with|position|its|the)\b|\u4f4d\u4e8e|\u5750\u6807|\u5728)+$",
    re.I,
)
_LONGEST_LABEL = 60


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of `Prompt.items[item]`.

    0 <= left <= right <= width and 0 <= top <= bottom <= height. `label` is what the
    answer calls it, perhaps nothing. The answer's characters `start` to `stop`, its
    markers not counted, are the coordinates.
    """

    label: str
    item: int
    left: int
    top: int
    right: int
    bottom: int
    start: int = 0
    stop: int = 0


def find_boxes(
    answer: str | Iterable[TextDelta], items: Sequence[MediaItem]
) -> tuple[Box, ...]:
    """The boxes that `answer` names, in order; none where there is no picture.

    A box belongs to the picture named last before it ("image 2", "the second picture",
    "page 3"), else to the last picture. Values a little outside 0-1000 are clamped,
    corners put in order. Lists that are no boxes (other lengths, larger numbers, even
    sequences, code) are passed over. No text makes it raise.
    """
    if not items:
        return ()
    text, boxed, places = _answer_text(answer)
    mentions, code = Mentions(text, items), _Code(text)
    boxes: list[Box] = []
    end_of_last = 0
    last_is_nested = False
    for found in _BOX.finditer(text):
        start = found.start()
        before = text[end_of_last:start]
        is_nested = _opens_list(before) or (
            last_is_nested and not before.strip(" \n\t,;")
        )
        is_certain = is_nested or _is_pair(found) or bool(_KEY.search(before[-40:]))
        x1, y1, x2, y2 = (float(n) for n in found.groups() if n is not None)
        if is_certain:
            is_box = _is_near_scale(x1, y1, x2, y2)
        elif boxed[start]:
            is_box = _is_near_scale(x1, y1, x2, y2) and not _is_even(x1, y1, x2, y2)
        else:
            is_box = (
                _is_plain_box(x1, y1, x2, y2)
                and not _is_even(x1, y1, x2, y2)
                and not _is_call(text, start)
                and not code.holds(start)
            )
        if is_box:
            item = mentions.item_at(start)
            label = _json_label(text, start, found.end()) or _phrase(before)
            where = places[start], places[found.end()]
            boxes.append(_in_pixels(label, item, items[item], (x1, y1, x2, y2), where))
            end_of_last, last_is_nested = found.end(), is_nested
    return tuple(boxes)


def _answer_text(
    answer: str | Iterable[TextDelta],
) -> tuple[str, list[bool], list[int]]:
    """The answer to search in; for each character whether it was boxed, and its place.

    Places are in the answer without markers, and one more than there are characters:
    a bare list in a box is searched with brackets that nobody wrote.
    """
    if isinstance(answer, str):
        splitter = Splitter(Markers())
        answer = [*splitter.feed(answer), *splitter.finish()]
    text, boxed, places, end = "", [], [], 0
    for delta in answer:
        if delta.channel != "answer":
            continue
        part = delta.text.translate(_NARROW)
        start, end = end, end + len(part)
        at = list(range(start, end))
        if delta.boxed and _BARE_LIST.fullmatch(part):
            part, at = f"[{part}]", [start, *at, end]
        text += part
        boxed += [delta.boxed] * len(part)
        places += at
    return text, boxed, [*places, end]


def _is_pair(found: re.Match[str]) -> bool:
    """Whether two corners were given, not one list."""
    return found.group(5) is not None


def _opens_list(before: str) -> bool:
    return before.rstrip()[-1:] in ("[", "(", "{")


def _is_even(a: float, b: float, c: float, d: float) -> bool:
    """Whether the numbers count evenly, like [1, 2, 3, 4] and [10, 20, 30, 40]."""
    return b - a == c - b == d - c


def _is_near_scale(*numbers: float) -> bool:
    return all(-_SLACK <= number <= _SCALE + _SLACK for number in numbers)


def _is_plain_box(x1: float, y1: float, x2: float, y2: float) -> bool:
    # Four numbers up to 1 are shares of something, not thousandths of a picture.
    shares = max(x2, y2) <= 1
    return 0 <= x1 < x2 <= _SCALE and 0 <= y1 < y2 <= _SCALE and not shares


def _is_call(text: str, place: int) -> bool:
    """Whether the bracket at `place` holds a call's arguments, like rgb(1, 5, 7)."""
    before = text[place - 1 : place]
    return text[place] == "(" and before.isascii() and before.isalnum()


class _Code:
    """Where a text is code of a language other than JSON."""

    def __init__(self, text: str) -> None:
        fences = list(_FENCE.finditer(text))
        self._starts = [fence.start() for fence in fences]
        self._languages = [fence.group(1).lower() for fence in fences]

    def holds(self, place: int) -> bool:
        before = bisect_right(self._starts, place)
        return before % 2 == 1 and self._languages[before - 1] not in ("", "json")


def _in_pixels(
    label: str,
    item: int,
    picture: MediaItem,
    numbers: tuple[float, ...],
    where: tuple[int, int],
) -> Box:
    x1, y1, x2, y2 = (min(max(number / _SCALE, 0.0), 1.0) for number in numbers)
    return Box(
        label=label,
        item=item,
        left=round(min(x1, x2) * picture.width),
        top=round(min(y1, y2) * picture.height),
        right=round(max(x1, x2) * picture.width),
        bottom=round(max(y1, y2) * picture.height),
        start=where[0],
        stop=where[1],
    )


def _json_label(text: str, start: int, stop: int) -> str:
    """The label in the same JSON object as the box [start, stop)."""
    opening = text.rfind("{", max(0, start - 400), start)
    closing = text.find("}", stop, stop + 400)
    if opening < 0 or closing < 0 or "}" in text[opening:start]:
        return ""
    found = _JSON_LABEL.search(text, opening, closing)
    return found.group(1).strip() if found else ""


def _phrase(before: str) -> str:
    """What a sentence calls the box that follows it: "The dog is at" -> "dog"."""
    phrase = _PHRASE_END.sub("", before[-200:])
    phrase = _PHRASE_EDGE.split(phrase)[-1]
    phrase = _PHRASE_START.sub("", phrase).strip()
    return phrase if len(phrase) <= _LONGEST_LABEL else ""
