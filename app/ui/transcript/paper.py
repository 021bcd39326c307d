"""A page of text as tall as its words: the ground of prose and of plain text."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from ..theme import set_role


class Paper(QTextBrowser):
    """Read-only, to be selected, without scrolling of its own."""

    grew = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self._measured: tuple[int, int] | None = None

    def height_for(self, width: int) -> int:
        """Pixels that the text takes at this width."""
        if self._measured is None or self._measured[0] != width:
            document = self.document()
            document.setTextWidth(width)
            height = math.ceil(document.size().height())
            if document.size().width() > width + 1:
                height += self._show_bar()
            self._measured = (width, height)
        return self._measured[1]

    def natural_width(self, most: int) -> int:
        """The least width that does not break more lines than `most` would."""
        document = self.document()
        document.setTextWidth(most)
        self._measured = None
        return min(math.ceil(document.idealWidth()) + 1, most)

    def changed(self) -> None:
        """To be called when the text is another: the height is unknown again."""
        self._measured = None

    def sizeHint(self) -> QSize:
        width = max(self.width(), 1)
        return QSize(width, self.height_for(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Sideways is its own where a table is too wide; the rest is the transcript's.
        if abs(event.angleDelta().x()) > abs(event.angleDelta().y()):
            super().wheelEvent(event)
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.ignore()  # the message has one for all its parts

    def loadResource(self, kind: int, name: object) -> object:  # noqa: ARG002
        """Nothing is ever loaded from a text."""
        return None

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._measured = None

    def _show_bar(self) -> int:
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        return self.horizontalScrollBar().sizeHint().height()
