"""Media that were read before: a conversation asks about the same files every turn.

Knows files by name, size and date, and counts bytes. Does not know how they are read.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_glm45v.messages import DocumentPart, Part, TextPart, VideoPart

if TYPE_CHECKING:
    from mlx_glm45v.processing.media_reader import Medium

MAX_BYTES = 256 * 2**20


class MediaMemory:
    """The media read last, as resized 8-bit pixels, within `max_bytes`.

    A file is known by its name, size and date; what has no file is read every time.
    May be used by several threads: at worst a file is read twice.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[object, ...], tuple[Medium, ...]] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Memory of all that is kept."""
        return sum(map(_size, list(self._kept.values())))

    def recall(self, part: Part, read: Iterable[Medium]) -> Iterator[Medium]:
        """What `part` was read as, or else what `read` gives: kept when it is whole."""
        key = _key(part)
        kept = None if key is None else self._kept.get(key)
        if key is None:
            yield from read
        elif kept is not None:
            self._kept[key] = self._kept.pop(key, kept)
            yield from kept
        else:
            media: list[Medium] = []
            for medium in read:
                media.append(medium)
                yield medium
            self._keep(key, tuple(media))

    def _keep(self, key: tuple[object, ...], media: tuple[Medium, ...]) -> None:
        if _size(media) > self._max_bytes:
            return
        self._kept[key] = media
        while self.nbytes > self._max_bytes:
            self._kept.popitem(last=False)


def _key(part: Part) -> tuple[object, ...] | None:
    """What decides how a part is read, None where no file does."""
    if isinstance(part, TextPart) or not isinstance(part.source, str | Path):
        return None
    if isinstance(part, VideoPart) and part.times is not None:
        return None
    try:
        stat = os.stat(part.source)
    except (OSError, ValueError):  # an address, or a file that is gone: reading says so
        return None
    known = replace(part, source=os.path.abspath(part.source))
    if isinstance(known, DocumentPart) and known.pages is not None:
        known = replace(known, pages=tuple(known.pages))
    return known, stat.st_size, stat.st_mtime_ns, stat.st_ino


def _size(media: tuple[Medium, ...]) -> int:
    return sum(frame.nbytes for medium in media for frame in medium.frames)
