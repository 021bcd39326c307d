"""A click on an attachment, in the composer or in the conversation, shows it large."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ..parts import Parts
from ..viewer import Viewer


class ViewerPresenter(QObject):
    """Opens the viewer, and closes it with the app."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer = Viewer(
            parts.media,
            parts.draft,
            parts.store.media.file_of,
            parts.theme,
            parts.window,
            self,
        )
        parts.window.composer.attachment_opened.connect(viewer.open_item)
        parts.window.transcript.media_opened.connect(viewer.open_attachment)
        parts.window.closing.connect(viewer.close)
