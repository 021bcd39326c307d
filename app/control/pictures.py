"""What is shown of attachments: asked of the media worker once, kept by digest.

Knows pixmaps and the worker. Does not know who shows them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPixmap

from ..conversation import Attachment
from ..store import StoreError
from ..workers.media import MediaWorker
from ..workers.values import MediaFailure, MediaSource, Strip

_SIDE = 960
_KEPT = 96
Key = tuple[str, int | None]


def picture_key(digest: str) -> str:
    """The key under which the worker is asked for what is shown of an attachment."""
    return f"picture:{digest}"


class Pictures(QObject):
    """Pixmaps of pictures, first frames and pages; `changed` when more are there."""

    changed = Signal()
    unreadable = Signal(str, str)  # digest, why

    def __init__(
        self,
        worker: MediaWorker,
        file_of: Callable[[Attachment], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._file_of = worker, file_of
        self._known: dict[str, Attachment] = {}
        self._kept: OrderedDict[Key, QPixmap] = OrderedDict()
        self._asked: dict[int, Key] = {}
        self._hopeless: set[Key] = set()
        # Asked again they would drive out others, which would be asked for in turn.
        self._dropped: set[Key] = set()
        worker.strip_ready.connect(self._ready)
        worker.failed.connect(self._failed)

    def learn(self, attachments: Iterable[Attachment]) -> None:
        """What may be asked for by its digest."""
        self._known.update({each.digest: each for each in attachments})

    def picture(self, digest: str, page: int | None) -> QPixmap | None:
        """What is there now; what is not is asked for, and `changed` tells."""
        key = (digest, page)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._hopeless | self._dropped | set(self._asked.values()):
            self._ask(key)
        return None

    def file_of(self, digest: str) -> Path | None:
        """The file of a picture, None where there is none of it alone."""
        attachment = self._known.get(digest)
        if attachment is None or attachment.kind != "image":
            return None
        try:
            return self._file_of(attachment)
        except StoreError:
            return None

    def forgive(self) -> None:
        """Other pictures are on show now: those that had to go may come again."""
        self._dropped.clear()

    def _ask(self, key: Key) -> None:
        digest, page = key
        attachment = self._known.get(digest)
        if attachment is None:
            return
        try:
            path = self._file_of(attachment)
        except StoreError:  # its place stays empty; asking about it says why
            self._hopeless.add(key)
            return
        source = MediaSource(
            key=picture_key(digest),
            path=path,
            kind=attachment.kind,
            pages=(page,) if page is not None else attachment.pages,
        )
        self._asked[self._worker.thumbnail(source, side=_SIDE)] = key

    def _ready(self, strip: Strip) -> None:
        key = self._asked.pop(strip.request, None)
        if key is None or not strip.frames:
            return
        self._kept[key] = QPixmap(str(strip.frames[0].path))
        while len(self._kept) > _KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._dropped.add(gone)
        self.changed.emit()

    def _failed(self, failure: MediaFailure) -> None:
        key = self._asked.pop(failure.request, None)
        if key is not None:
            self._hopeless.add(key)
            self.unreadable.emit(key[0], failure.problem)
