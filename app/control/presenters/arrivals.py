"""What is dropped, pasted, chosen or taken from the screen, on its way to the draft."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from ...conversation import Attachment
from ...ui.composer import Offered
from ...ui.empty import Example
from ..parts import Parts
from ..region import ScreenRegion
from ..trouble import told

# Refused files that are named one by one.
_MOST_LINES = 4


class ArrivalsPresenter(QObject):
    """Brings files in, and says which were refused and why."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._composer = composer = parts.window.composer
        self._refusals: list[str] = []
        self._tried = ""  # the question of the example chosen last
        self._region = ScreenRegion(self)
        arrivals = parts.arrivals
        composer.files_offered.connect(self._bring_paths)
        composer.picture_offered.connect(self._bring_picture)
        composer.urls_offered.connect(self._bring_urls)
        composer.region_requested.connect(self._take_region)
        parts.window.drops.offered.connect(self._offered)
        parts.window.empty.chosen.connect(self._try_example)
        self._region.taken.connect(self._taken)
        arrivals.arrived.connect(self._arrived)
        arrivals.refused.connect(self._refused)

    def _offered(self, offered: Offered) -> None:
        self._parts.window.show_chat()
        self._composer.show_notice("")
        if offered.paths:
            self._bring_paths(offered.paths)
        for data, name in offered.images:
            self._bring_picture(data, name)
        if offered.urls:
            self._bring_urls(offered.urls)

    def _bring_paths(self, paths: tuple[Path, ...]) -> None:
        self._parts.arrivals.bring_paths(paths, self._here())

    def _bring_picture(self, data: bytes | QImage, name: str) -> None:
        self._parts.arrivals.bring_picture(data, name, self._here())

    def _bring_urls(self, urls: tuple[str, ...]) -> None:
        self._parts.arrivals.bring_urls(urls, self._here())

    def _here(self) -> int | None:
        conversation = self._parts.talk.conversation
        return conversation.id if conversation else None

    def _arrived(self, attachment: Attachment, conversation: int | None) -> None:
        """Into the draft it was meant for, though another one be open now."""
        if conversation is None or conversation == self._here():
            self._parts.draft.add(attachment)
            return
        with told(self._parts.window.notices.say):
            store, outbox = self._parts.store, self._parts.talk.outbox
            outbox.add_to_draft(store.conversation(conversation), attachment)

    def _refused(self, name: str, why: str) -> None:
        if not self._composer.notice.text:
            self._refusals.clear()
        self._refusals.append(why if name in why else f"{name}: {why}")
        lines, more = self._refusals[:_MOST_LINES], len(self._refusals) - _MOST_LINES
        if more > 0:
            lines.append(self.tr("{count} more could not be added.").format(count=more))
        self._composer.show_notice("\n".join(lines))

    def _try_example(self, example: Example) -> None:
        draft = self._parts.draft
        if draft.text.strip() not in ("", self._tried):
            words = self.tr("Send or clear what you have written first.")
            self._composer.show_notice(words)
            return
        if self._tried and draft.text.strip() == self._tried:
            draft.clear()  # of the example before
        self._tried = example.question
        self._composer.set_text(example.question)
        draft.set_text(example.question)
        self._bring_paths(example.files)

    def _take_region(self) -> None:
        if sys.platform == "darwin":
            self._region.take()
        else:
            words = self.tr("Taking a picture of the screen works on a Mac only.")
            self._composer.show_notice(words)

    def _taken(self, data: bytes) -> None:
        self._bring_picture(data, self.tr("Screen region.png"))
