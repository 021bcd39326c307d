"""The composer: puts its parts together and passes on what the person wants.

It keeps no message: whoever sends one empties the field with `set_text("")`.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QFrame, QSizePolicy, QVBoxLayout, QWidget

from ..palette import COLUMN_WIDTH, COMPOSER_RADIUS, XS, M
from ..theme import Theme
from ..words import grouped
from .drops import Offered
from .field import MOST_CHARACTERS, MessageField, about_tokens
from .notice import Notice
from .pasted import PastedTexts, joined, parted
from .queue import WaitingList
from .strip import CardStrip
from .tools import ToolRow
from .values import CardValue, WaitingValue

_SUFFIXES = (
    "png jpg jpeg webp gif bmp tif tiff heic heif avif mp4 mov m4v mkv webm avi pdf"
)


class Composer(QFrame):
    """Words, attachments and their cost; says what the person wants to happen."""

    send_requested = Signal(str)
    stop_requested = Signal()
    text_changed = Signal(str)
    thinking_toggled = Signal(bool)
    detail_changed = Signal(str)
    files_offered = Signal(object)  # tuple[Path, ...]
    picture_offered = Signal(object, str)  # bytes or QImage, and its name
    urls_offered = Signal(object)  # tuple[str, ...]
    attachment_removed = Signal(str)
    attachment_moved = Signal(str, int)
    attachment_opened = Signal(str)
    region_requested = Signal()
    edit_last_requested = Signal()
    queue_edited = Signal(int, str)
    queue_removed = Signal(int)
    queue_held = Signal(int, bool)
    too_long_pasted = Signal(int)  # about so many tokens

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._busy, self._blocked = False, ""
        self._usable = False  # an attachment that could be sent without words
        self.setProperty("role", "composer")
        self.setMaximumWidth(COLUMN_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.queue = WaitingList(theme, self)
        self.notice = Notice(theme, self)
        self.strip = CardStrip(theme, self)
        self.pasted = PastedTexts(theme, self)
        self.field = MessageField(self)
        self.field.setAccessibleName(self.tr("Message"))
        self.tools = ToolRow(theme, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(M - 4, M - 4, M - 4, XS)
        column.setSpacing(XS)
        for part in (self.queue, self.notice, self.strip, self.pasted):
            column.addWidget(part)
        column.addWidget(self.field)
        column.addWidget(self.tools)
        self.setFocusProxy(self.field)
        self._connect()
        theme.changed.connect(self.update)
        self.set_busy(False)
        self._weigh()

    @property
    def text(self) -> str:
        """The words as they stand, after what was pasted."""
        return joined(self.pasted.texts, self.field.toPlainText())

    def set_text(self, text: str) -> None:
        """Put in a draft without saying `text_changed`; the cursor goes to its end."""
        if text == self.text:
            return
        pasted, words = parted(text)
        self.pasted.set_text(pasted)
        self.field.blockSignals(True)
        self.field.setPlainText(words)
        self.field.moveCursor(self.field.textCursor().MoveOperation.End)
        self.field.blockSignals(False)
        self._weigh()

    def set_attachments(self, values: tuple[CardValue, ...]) -> None:
        """Show exactly these cards."""
        self._usable = any(value.problem is None for value in values)
        self.strip.set_values(values)
        self._weigh()

    def set_cost(self, used: int | None, context: int) -> None:
        """What the prompt takes of the context; None while it is being counted."""
        self.tools.set_cost(used, context)

    def set_thinking(self, on: bool) -> None:
        """Whether the model will think first; says nothing."""
        self.tools.set_thinking(on)

    def toggle_thinking(self) -> None:
        """As if Think were pressed: for the window's shortcut."""
        self.tools.think.click()

    def set_busy(self, busy: bool) -> None:
        """Whether an answer is under way: Send becomes Stop at once."""
        self._busy = busy
        self.tools.set_busy(busy)
        if busy:
            self.field.set_hints(
                self.tr("Write the next message; it waits for this answer"),
                self.tr("Next message"),
            )
        else:
            self.field.set_hints(
                self.tr("Ask about your pictures, videos and documents"),
                self.tr("Ask a question"),
            )

    def set_blocked(self, reason: str | None) -> None:
        """Why nothing can be sent, in a few words; None when it can."""
        self._blocked = reason or ""
        self._weigh()

    def set_detail(self, detail: str) -> None:
        """Show "low", "normal" or "high"; says nothing."""
        self.tools.set_detail(detail)

    def set_queue(self, values: tuple[WaitingValue, ...]) -> None:
        """Show the messages that wait for the answer's end."""
        self.queue.set_values(values)

    def show_notice(self, text: str) -> None:
        """Say one line above the field, until closed; an empty one closes it."""
        self.notice.say(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.field.hasFocus():
            return
        # The bare field has no ring of its own: the frame around it shows the focus.
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent"), 1.5))
        edge = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        painter.drawRoundedRect(edge, COMPOSER_RADIUS, COMPOSER_RADIUS)
        painter.end()

    def _connect(self) -> None:
        self.field.submitted.connect(self._send)
        self.field.cancelled.connect(self._cancel)
        self.field.earlier_requested.connect(self.edit_last_requested)
        self.field.sources_pasted.connect(self.offer)
        self.field.too_long.connect(self._refuse)
        self.field.long_pasted.connect(self._hold)
        self.pasted.changed.connect(self._written)
        self.field.textChanged.connect(self._written)
        self.field.focus_changed.connect(self.update)
        self.strip.removed.connect(self.attachment_removed)
        self.strip.moved.connect(self.attachment_moved)
        self.strip.opened.connect(self.attachment_opened)
        self.strip.emptied.connect(self.field.setFocus)
        self.queue.edited.connect(self.queue_edited)
        self.queue.removed.connect(self.queue_removed)
        self.queue.held.connect(self.queue_held)
        self.tools.add_requested.connect(self.choose_files)
        self.tools.region_requested.connect(self.region_requested)
        self.tools.detail_chosen.connect(self.detail_changed)
        self.tools.thinking_toggled.connect(self.thinking_toggled)
        self.tools.send_pressed.connect(self._send)
        self.tools.stop_pressed.connect(self.stop_requested)

    def offer(self, found: Offered) -> None:
        """Pass on what was pasted or dropped."""
        if found.paths:
            self.files_offered.emit(found.paths)
        for data, name in found.images:
            self.picture_offered.emit(data, name)
        if found.urls:
            self.urls_offered.emit(found.urls)

    def choose_files(self) -> QFileDialog:
        """Open the file dialog beside the window."""
        patterns = " ".join(f"*.{suffix}" for suffix in _SUFFIXES.split())
        dialog = QFileDialog(self, self.tr("Add pictures, videos or PDFs"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(
            [
                self.tr("Pictures, videos and PDFs") + f" ({patterns})",
                self.tr("All files") + " (*)",
            ]
        )
        dialog.filesSelected.connect(self._files_chosen)
        dialog.open()
        return dialog

    def _files_chosen(self, names: list[str]) -> None:
        self.files_offered.emit(tuple(Path(name) for name in names))

    def _send(self) -> None:
        reason = self._reason()
        if not reason:
            self.send_requested.emit(self.text.strip())
        elif self._blocked:
            # Enter was pressed: a tooltip would not be seen.
            self.show_notice(self._blocked)

    def _cancel(self) -> None:
        if self._busy:
            self.stop_requested.emit()
        else:
            self.show_notice("")

    def _refuse(self, characters: int) -> None:
        tokens = about_tokens(characters)
        self.show_notice(
            self.tr(
                "Not pasted: this text has about {count} tokens, too many for one "
                "message. Paste a part of it."
            ).format(count=grouped(tokens))
        )
        self.too_long_pasted.emit(tokens)

    def _hold(self, text: str) -> None:
        """A long text stands above the field."""
        if len(self.text) + len(text) > MOST_CHARACTERS:
            self._refuse(len(text))
        else:
            self.pasted.add(text)

    def _written(self) -> None:
        self._weigh()
        self.text_changed.emit(self.text)

    def _reason(self) -> str:
        if self._blocked:
            return self._blocked
        if self._usable or self.text.strip():
            return ""
        return self.tr("Write a message or add a picture first")

    def _weigh(self) -> None:
        self.tools.set_reason(self._reason())
