"""Files on their way into the store: walked, fetched and copied away from the window.

Knows paths, addresses and pictures as bytes. Does not know what they will cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from urllib.parse import unquote, urlsplit

from PySide6.QtCore import (
    QBuffer,
    QByteArray,
    QIODevice,
    QObject,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QImage, QImageWriter

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.fetch import FetchLimits, fetch

from ..store import Media, StoreError

_MOST_FILES = 200
_LIMITS = FetchLimits(max_bytes=256_000_000, seconds=120)
_STILL = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic"}
)
_MOVING = frozenset({".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi"})
_KNOWN = _STILL | _MOVING | {".heif", ".avif", ".pdf"}


class Arrivals(QObject):
    """Brings files in, one after the other, in a thread of its own.

    What comes from the web has another thread, for a server may let it wait. Both are
    daemons: the app's end does not wait for a file that is slow to come.

    `about` is the asker's word for what they are for; it comes back with them.
    """

    arrived = Signal(object, object)  # Attachment, about
    refused = Signal(str, str)  # name, why
    pending_changed = Signal()
    _done = Signal()

    def __init__(self, media: Media, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._media = media
        self._closed = False
        self._jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._done.connect(self._one_done)
        self.pending = 0
        Thread(target=self._work, name="arrivals", daemon=True).start()

    def bring_paths(self, paths: tuple[Path, ...], about: object = None) -> None:
        """Files as they are; of folders what lies in them that can be shown."""
        self._start(lambda: self._take_paths(paths, about))

    def bring_picture(
        self, data: bytes | QImage, name: str, about: object = None
    ) -> None:
        """A picture that another program gave: a file's bytes, or drawn."""
        self._start(lambda: self._take_picture(data, name, about))

    def bring_urls(self, urls: tuple[str, ...], about: object = None) -> None:
        """Files from the web."""
        self._begin()
        fetching = Thread(target=self._take_urls, args=(urls, about), daemon=True)
        fetching.start()

    def close(self) -> None:
        """Nothing more arrives."""
        self._closed = True
        self._jobs.put(lambda: None)

    def _start(self, job: Callable[[], object]) -> None:
        self._begin()
        self._jobs.put(job)

    def _begin(self) -> None:
        self.pending += 1
        self.pending_changed.emit()

    def _one_done(self) -> None:
        self.pending -= 1
        self.pending_changed.emit()

    # In the threads.

    def _work(self) -> None:
        while not self._closed:
            job = self._jobs.get()
            if not self._closed:
                job()
                self._say(self._done)

    def _is_closed(self) -> bool:
        return self._closed

    def _say(self, signal: SignalInstance, *values: object) -> None:
        if not self._closed:
            with suppress(RuntimeError):  # the app ended a moment ago
                signal.emit(*values)

    def _take_paths(self, paths: tuple[Path, ...], about: object) -> None:
        for path in paths:
            found = list(islice(_walk(path), _MOST_FILES + 1))
            if not found:
                words = self.tr("No picture, video or PDF lies in this folder.")
                self._say(self.refused, path.name, words)
            if len(found) > _MOST_FILES:
                words = self.tr("More than {count} files; the first ones were taken.")
                self._say(self.refused, path.name, words.format(count=_MOST_FILES))
            for file in found[:_MOST_FILES]:
                if self._closed:
                    return
                try:
                    attachment = self._media.attach(file, self._is_closed)
                except (StoreError, OSError, ValueError) as error:
                    self._say(self.refused, file.name, str(error))
                else:
                    self._say(self.arrived, attachment, about)

    def _take_picture(self, data: bytes | QImage, name: str, about: object) -> None:
        if isinstance(data, QImage):  # packing a large one takes half a second
            data = _png(data)
        self._take_bytes(data, name, about)

    def _take_bytes(self, data: bytes, name: str, about: object) -> None:
        try:
            attachment = self._media.attach_bytes(data, name)
        except (StoreError, OSError, ValueError) as error:
            self._say(self.refused, name, str(error))
        else:
            self._say(self.arrived, attachment, about)

    def _take_urls(self, urls: tuple[str, ...], about: object) -> None:
        for url in urls:
            if not self._closed:
                self._take_url(url, about)
        self._say(self._done)

    def _take_url(self, url: str, about: object) -> None:
        parts = urlsplit(url)
        name = unquote(parts.path.rpartition("/")[2]) or parts.netloc or url
        if parts.scheme not in ("http", "https"):
            words = self.tr("Only addresses that begin with http are fetched.")
            self._say(self.refused, name, words)
            return
        try:
            data = fetch(url, name=name, limits=_LIMITS, should_stop=self._is_closed)
        except Cancelled:
            return
        except MediaError as error:
            self._say(self.refused, name, str(error))
        else:
            self._take_bytes(data, name, about)


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(buffer.data().data())


def _walk(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for inside in sorted(path.rglob("*")):
        if inside.suffix.lower() in _KNOWN and inside.is_file():
            yield inside
