"""A bar that offers a deleted conversation back for ten seconds."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ...conversation import Conversation
from ..palette import XS, XXS
from ..words import plain_tip
from .model import shown_title

SECONDS = 10


class UndoBar(QFrame):
    """Hidden but for those seconds; they start again while the button has the focus."""

    undone = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._conversation: Conversation | None = None
        self.setProperty("role", "banner")
        self._words = QLabel(self)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self.button = QPushButton(self.tr("Undo"), self)
        self.button.setProperty("role", "link")
        self.button.clicked.connect(self._undo)
        self.button.installEventFilter(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(XS + XXS, XXS, XS, XXS)
        row.addWidget(self._words, 1)
        row.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self.set_seconds(SECONDS)
        self._timer.timeout.connect(self._pass)
        self.hide()

    @property
    def text(self) -> str:
        """What was deleted, in full."""
        return self.accessibleName()

    def set_seconds(self, seconds: float) -> None:
        """How long the next offer stands."""
        self._timer.setInterval(round(seconds * 1000))

    def offer(self, conversation: Conversation) -> None:
        """Offer this one; the one before can no longer be brought back from here."""
        self._conversation = conversation
        title = shown_title(conversation.title)
        text = self.tr("Deleted “{title}”").format(title=title)
        self.setAccessibleName(text)
        self._words.setToolTip(plain_tip(text))
        self.button.setAccessibleName(
            self.tr("Undo: bring back “{title}”").format(title=title)
        )
        self.show()
        self._elide()
        self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Nobody loses the button while about to press it.
        if event.type() == QEvent.Type.FocusOut and self._conversation is not None:
            self._timer.start()
        return super().eventFilter(watched, event)

    def _elide(self) -> None:
        if self._conversation is None:
            return
        metrics = self._words.fontMetrics()
        whole = self.tr("Deleted “{title}”")
        around = metrics.horizontalAdvance(whole.format(title=""))
        title = shown_title(self._conversation.title)
        room = max(0, self._words.width() - around)
        short = metrics.elidedText(title, Qt.TextElideMode.ElideRight, room)
        self._words.setText(whole.format(title=short))

    def _pass(self) -> None:
        if self.button.hasFocus():
            self._timer.start()
            return
        self._conversation = None
        self.hide()

    def _undo(self) -> None:
        if self._conversation is None:
            return
        conversation, self._conversation = self._conversation.id, None
        self._timer.stop()
        self.hide()
        self.undone.emit(conversation)
