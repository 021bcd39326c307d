"""Pictures of one medium, asked of the worker in parts: what is seen comes first.

Knows the worker's requests. Does not know who looks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from ..workers.media import MediaWorker
from ..workers.values import MediaFailure, MediaSource, Strip

# Neighbours are drawn together; more would keep newer wishes waiting.
_TOGETHER = 8
_SMALL = 360
# Of a picture alone: the first look, then so many pixels of it.
FIRST_LOOK = 960
_MOST_PIXELS = 16_000_000
_LONGEST = 16_384
_PAGE = 2_400


@dataclass(frozen=True)
class _Wish:
    """Frames or pages at a size."""

    places: tuple[int, ...]
    side: int
    large: bool


class PictureFeed(QObject):
    """Small pictures of many frames or pages, large ones of single ones.

    One request is under way at a time, so that what is wanted by then comes next.
    """

    small = Signal(int, Path)
    large = Signal(int, Path)
    failed = Signal(int, str)

    def __init__(self, worker: MediaWorker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._source: MediaSource | None = None
        self._numbers: tuple[int, ...] = ()
        self._asked: tuple[int, _Wish] | None = None  # request, what it was about
        self._large: _Wish | None = None
        self._small: tuple[int, ...] = ()
        self._singles: deque[int] = deque()
        worker.strip_ready.connect(self._ready)
        worker.failed.connect(self._failed)

    def set_source(
        self, source: MediaSource | None, numbers: tuple[int, ...] = ()
    ) -> None:
        """Another medium, or None; a document's places have page `numbers`."""
        if source is not None:  # a picture of it is the same under every budget
            source = replace(source, pages=None, max_pixels=None)
        if (source, numbers) == (self._source, self._numbers):
            return
        self._source, self._numbers = source, numbers
        self._asked, self._large, self._small = None, None, ()
        self._singles.clear()

    def want(self, places: tuple[int, ...]) -> None:
        """Draw these small, in place of those that were wanted before."""
        self._small = places
        self._go_on()

    def enlarge(self, place: int, size: tuple[int, int] | None = None) -> None:
        """Draw one large; `size` are its own pixels, where they are known."""
        self._large = _Wish((place,), _PAGE if self._numbers else _side(size), True)
        self._go_on()

    def look(self) -> None:
        """Draw a picture as large as a first look needs."""
        self._large = _Wish((0,), FIRST_LOOK, True)
        self._go_on()

    def _go_on(self) -> None:
        if self._asked is not None or self._source is None:
            return
        if self._large is not None:
            wish, self._large = self._large, None
        elif self._singles:
            wish = _Wish((self._singles.popleft(),), _SMALL, False)
        elif self._small:
            wish = self._neighbours(self._small[0])
            self._small = tuple(n for n in self._small if n not in wish.places)
        else:
            return
        self._asked = self._ask(self._source, wish), wish

    def _neighbours(self, place: int) -> _Wish:
        """Always the same ones: what was drawn once is found again."""
        begin = place // _TOGETHER * _TOGETHER
        end = begin + _TOGETHER
        if self._numbers:
            end = min(end, len(self._numbers))
        return _Wish(tuple(range(begin, end)), _SMALL, False)

    def _ask(self, source: MediaSource, wish: _Wish) -> int:
        if source.kind == "document":
            pages = tuple(self._numbers[place] for place in wish.places)
            return self._worker.strip(replace(source, pages=pages), side=wish.side)
        if source.kind == "video":
            return self._worker.strip(source, side=wish.side, places=wish.places)
        return self._worker.thumbnail(source, side=wish.side)

    def _ready(self, strip: Strip) -> None:
        wish = self._answered(strip.request)
        if wish is not None:
            signal = self.large if wish.large else self.small
            for place, frame in zip(wish.places, strip.frames, strict=False):
                signal.emit(place, frame.path)
            self._go_on()

    def _failed(self, failure: MediaFailure) -> None:
        wish = self._answered(failure.request)
        if wish is None:
            return
        if wish.places[1:]:  # which of them it is will be seen one by one
            self._singles.extend(wish.places)
        else:
            self.failed.emit(wish.places[0], failure.problem)
        self._go_on()

    def _answered(self, request: int) -> _Wish | None:
        if self._asked is None or self._asked[0] != request:
            return None
        wish, self._asked = self._asked[1], None
        return wish


def _side(size: tuple[int, int] | None) -> int:
    """The longer side at which a picture has few enough pixels."""
    if size is None:
        return round(sqrt(_MOST_PIXELS))
    share = min(1.0, sqrt(_MOST_PIXELS / (size[0] * size[1])))
    return min(_LONGEST, max(1, round(max(size) * share)))
