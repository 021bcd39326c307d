"""Shows one attachment large: asks the worker for its pictures and the draft for more.

Knows the draft, the worker and the viewer's window. An attachment of the draft can be
changed there and follows the draft; one that was sent is only looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QSize, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from ..conversation import Attachment
from ..store import StoreError
from ..ui.background import Background
from ..ui.theme import Theme
from ..ui.viewer import AttachmentViewer
from ..workers.media import MediaWorker
from ..workers.values import Measured, MediaFailure, MediaSource
from .draft import Draft, Item, named
from .picture_feed import FIRST_LOOK, PictureFeed
from .viewed import Viewed, value_of

# What it is at first of the window it stands over, and no larger than this.
_SHARE, _MOST = 0.85, QSize(1100, 860)


class Viewer(QObject):
    """At most one window, which goes with what it shows."""

    def __init__(
        self,
        worker: MediaWorker,
        draft: Draft,
        file_of: Callable[[Attachment], Path],
        theme: Theme,
        window: QWidget,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._draft, self._file_of = worker, draft, file_of
        self._theme, self._window = theme, window
        self._background = Background(self)
        self._feed = PictureFeed(worker, self)
        self._viewed: Viewed | None = None
        self._dialog: AttachmentViewer | None = None
        # Requests of our own: what was sent, and all pages of what goes in part.
        self._measuring = self._counting = 0
        self._whole = False  # a picture was asked for in all its size
        worker.measured.connect(self._measured)
        worker.failed.connect(self._failed)
        draft.changed.connect(self._follow)
        self._feed.small.connect(self._drawn)
        self._feed.large.connect(self._drawn_large)
        self._feed.failed.connect(self._undrawn)

    @property
    def dialog(self) -> AttachmentViewer | None:
        """The window, while it is open."""
        return self._dialog

    def open_item(self, key: str) -> None:
        """One of the draft; its pages and budgets can be changed."""
        item = self._draft.item(key)
        if item is not None:
            self._open(self._followed(Viewed(item.attachment, key), item))

    def open_attachment(self, attachment: Attachment) -> None:
        """One that was sent."""
        self._open(Viewed(attachment))

    def close(self) -> None:
        """Without its window, and for ever."""
        if self._dialog is not None:
            self._dialog.close()
        self._background.close()

    def _open(self, viewed: Viewed) -> None:
        if self._dialog is not None:
            self._dialog.close()
        self._measuring = self._counting = 0
        self._whole = False
        try:
            source = self._source(viewed)
        except StoreError as error:
            source, viewed = None, replace(viewed, problem=str(error))
        if source is not None and viewed.key is None:
            self._measuring = self._worker.measure_attachment(source)
        dialog = AttachmentViewer(
            value_of(viewed), self._theme, self._background, self._window
        )
        dialog.resize((self._window.size() * _SHARE).boundedTo(_MOST))
        dialog.edited.connect(self._edit)
        dialog.wanted.connect(self._feed.want)
        dialog.enlarged.connect(self._enlarge)
        dialog.elsewhere_requested.connect(self._open_elsewhere)
        dialog.finished.connect(self._finished)
        self._viewed, self._dialog = viewed, dialog
        if viewed.attachment.kind == "image" and viewed.problem is None:
            self._feed.set_source(source)
            self._feed.look()
        self._ask()
        dialog.show()

    def _finished(self) -> None:
        self._dialog = self._viewed = None
        self._feed.set_source(None)

    # What is known of it.

    def _follow(self) -> None:
        """The draft has changed, perhaps what is shown of it."""
        viewed = self._viewed
        if viewed is None or viewed.key is None or self._dialog is None:
            return
        item = self._draft.item(viewed.key)
        if item is None:
            self._dialog.close()
        else:
            self._update(self._followed(viewed, item))

    def _followed(self, viewed: Viewed, item: Item) -> Viewed:
        viewed = replace(
            viewed,
            attachment=item.attachment,
            own=self._draft.own_of(item.key),
            counting=item.cost is None,
            problem=item.problem,
        )
        return viewed if item.cost is None else viewed.counted(item.cost)

    def _measured(self, measured: Measured) -> None:
        viewed = self._viewed
        if viewed is None:
            return
        if measured.request == self._counting:
            self._update(replace(viewed, count=measured.media[0].pages))
        elif measured.request == self._measuring:
            self._update(viewed.counted(measured.media[0]))

    def _failed(self, failure: MediaFailure) -> None:
        ours = (self._measuring, self._counting)
        if self._viewed is not None and failure.request in ours:
            problem = named(failure.problem, self._viewed.attachment)
            self._update(replace(self._viewed, problem=problem))

    def _update(self, viewed: Viewed) -> None:
        if viewed != self._viewed and self._dialog is not None:
            self._viewed = viewed
            self._dialog.set_value(value_of(viewed))
            self._ask()

    def _source(self, viewed: Viewed) -> MediaSource:
        """Raises StoreError when the file is gone."""
        attachment = viewed.attachment
        return MediaSource(
            f"viewer:{attachment.digest}",
            self._file_of(attachment),
            attachment.kind,
            attachment.pages,
            attachment.max_pixels,
            attachment.fps,
        )

    # Its pictures.

    def _ask(self) -> None:
        """Ask for what is not known yet of what is shown."""
        viewed = self._viewed
        if viewed is None or viewed.problem is not None:
            return
        # What frames a video has is not known until it is counted as it is now.
        if viewed.counting and viewed.attachment.kind != "document":
            return
        source, size = self._source(viewed), viewed.size
        self._feed.set_source(source, viewed.numbers)
        match viewed.attachment.kind:
            case "document":
                if viewed.key is not None and not viewed.count and not self._counting:
                    whole = replace(source, pages=None)
                    self._counting = self._worker.measure_attachment(whole)
            case "image" if size is not None and not self._whole:
                self._whole = True
                if max(size) > FIRST_LOOK:
                    self._feed.enlarge(0, size)

    def _enlarge(self, place: int) -> None:
        if self._viewed is not None:
            self._feed.enlarge(place, self._viewed.size)

    def _drawn(self, place: int, path: Path) -> None:
        if self._dialog is not None:
            self._dialog.stage.set_thumbnail(place, path)

    def _drawn_large(self, place: int, path: Path) -> None:
        if self._dialog is not None:
            self._dialog.stage.set_large(place, path)

    def _undrawn(self, place: int, problem: str) -> None:
        viewed = self._viewed
        if viewed is None or self._dialog is None:
            return
        attachment = viewed.attachment
        problem = named(problem, attachment)
        if attachment.kind == "document":  # the page can be left out
            self._dialog.stage.set_problem(place, problem)
            return
        self._update(replace(viewed, problem=problem))
        if viewed.key is not None:
            self._draft.mark_unreadable(attachment.digest, problem)

    # What is wanted of it.

    def _edit(self, name: str, value: object) -> None:
        key = self._viewed.key if self._viewed is not None else None
        if key is None:
            return
        match name, value:
            case "pages", tuple() | None:
                self._draft.set_pages(key, value)
            case "detail", str():
                self._draft.set_detail(key, value)
            case "fps", float() | None:
                self._draft.set_fps(key, value)

    def _open_elsewhere(self) -> None:
        if self._viewed is None:
            return
        try:
            path = self._file_of(self._viewed.attachment)
        except StoreError as error:
            self._update(replace(self._viewed, problem=str(error)))
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
