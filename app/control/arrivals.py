"""Files on their way into the store: walked, fetched and copied away from the window.

Knows paths, addresses and pictures as bytes. Does not know what they will cost.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import QObject, QThreadPool, Signal

from ..store import Media, StoreError

_MOST_FILES = 200
_MOST_BYTES = 256_000_000
_SECONDS = 10
_CHUNK = 1 << 18
_STILL = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic"}
)
_MOVING = frozenset({".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi"})
_KNOWN = _STILL | _MOVING | {".heif", ".avif", ".pdf"}


class Arrivals(QObject):
    """Brings files in, one after the other, in a thread of its own."""

    arrived = Signal(object)  # Attachment
    refused = Signal(str, str)  # name, why

    def __init__(self, media: Media, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._media = media
        self._closed = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)  # in the order they were given

    def bring_paths(self, paths: tuple[Path, ...]) -> None:
        """Files as they are; of folders what lies in them that can be shown."""
        self._start(lambda: self._take_paths(paths))

    def bring_bytes(self, data: bytes, name: str) -> None:
        """A picture that another program gave."""
        self._start(lambda: self._take_bytes(data, name))

    def bring_urls(self, urls: tuple[str, ...]) -> None:
        """Files from the web."""
        self._start(lambda: [self._take_url(url) for url in urls])

    def close(self) -> None:
        """Nothing more arrives."""
        self._closed = True
        self._pool.clear()
        self._pool.waitForDone(1000)

    def _start(self, work: Callable[[], object]) -> None:
        # A function, no QRunnable: Qt frees that, and its Python half would be taken
        # for whatever comes to lie at the same place.
        self._pool.start(work)

    def _take_paths(self, paths: tuple[Path, ...]) -> None:
        for path in paths:
            if self._closed:
                return
            found = list(_walk(path))
            if not found:
                words = self.tr("No picture, video or PDF lies in this folder.")
                self.refused.emit(path.name, words)
            if len(found) > _MOST_FILES:
                words = self.tr("More than {count} files; the first ones were taken.")
                self.refused.emit(path.name, words.format(count=_MOST_FILES))
            for file in found[:_MOST_FILES]:
                if self._closed:
                    return
                try:
                    self.arrived.emit(self._media.attach(file))
                except (StoreError, OSError, ValueError) as error:
                    self.refused.emit(file.name, str(error))

    def _take_bytes(self, data: bytes, name: str) -> None:
        try:
            self.arrived.emit(self._media.attach_bytes(data, name))
        except (StoreError, OSError, ValueError) as error:
            self.refused.emit(name, str(error))

    def _take_url(self, url: str) -> None:
        name = unquote(urlsplit(url).path.rpartition("/")[2]) or urlsplit(url).netloc
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "GLM45V"})
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                data = self._read(answer)
        except (urllib.error.URLError, OSError, ValueError) as error:
            words = self.tr("It could not be fetched: {reason}")
            self.refused.emit(name, words.format(reason=error))
            return
        if len(data) > _MOST_BYTES:
            self.refused.emit(name, self.tr("It is larger than 256 MB."))
        elif not self._closed:
            self._take_bytes(data, name)

    def _read(self, answer: BinaryIO) -> bytes:
        """All of it, up to the most; less when the app is closed meanwhile."""
        data = bytearray()
        while not self._closed and len(data) <= _MOST_BYTES:
            chunk = answer.read(_CHUNK)
            if not chunk:
                break
            data += chunk
        return bytes(data)


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for inside in sorted(path.rglob("*")):
        if inside.suffix.lower() in _KNOWN and inside.is_file():
            yield inside
