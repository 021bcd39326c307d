"""What is dropped, pasted, chosen or taken from the screen, on its way to the draft."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject

from ...conversation import Attachment
from ...ui.composer import Offered
from ...ui.empty import Example
from ..parts import Parts
from ..region import ScreenRegion

# Refused files that are named one by one.
_MOST_LINES = 4


class ArrivalsPresenter(QObject):
    """Brings files in, and says which were refused and why."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._composer = composer = parts.window.composer
        self._refusals: list[str] = []
        self._region = ScreenRegion(self)
        arrivals = parts.arrivals
        composer.files_offered.connect(arrivals.bring_paths)
        composer.bytes_offered.connect(arrivals.bring_bytes)
        composer.urls_offered.connect(arrivals.bring_urls)
        composer.region_requested.connect(self._take_region)
        parts.window.drops.offered.connect(self._offered)
        parts.window.empty.chosen.connect(self._try_example)
        self._region.taken.connect(self._taken)
        arrivals.arrived.connect(self._arrived)
        arrivals.refused.connect(self._refused)

    def _offered(self, offered: Offered) -> None:
        arrivals = self._parts.arrivals
        self._parts.window.show_chat()
        self._composer.show_notice("")
        if offered.paths:
            arrivals.bring_paths(offered.paths)
        for data, name in offered.images:
            arrivals.bring_bytes(data, name)
        if offered.urls:
            arrivals.bring_urls(offered.urls)

    def _arrived(self, attachment: Attachment) -> None:
        self._parts.draft.add(attachment)

    def _refused(self, name: str, why: str) -> None:
        if not self._composer.notice.text:
            self._refusals.clear()
        self._refusals.append(f"{name}: {why}")
        lines, more = self._refusals[:_MOST_LINES], len(self._refusals) - _MOST_LINES
        if more > 0:
            lines.append(self.tr("{count} more could not be added.").format(count=more))
        self._composer.show_notice("\n".join(lines))

    def _try_example(self, example: Example) -> None:
        self._composer.set_text(example.question)
        self._parts.draft.set_text(example.question)
        self._parts.arrivals.bring_paths(example.files)

    def _take_region(self) -> None:
        if sys.platform == "darwin":
            self._region.take()
        else:
            words = self.tr("Taking a picture of the screen works on a Mac only.")
            self._composer.show_notice(words)

    def _taken(self, data: bytes) -> None:
        self._parts.arrivals.bring_bytes(data, self.tr("Screen region.png"))
