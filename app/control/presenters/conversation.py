"""The open conversation: transcript, title, progress."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog

from ...conversation import Attachment, Box, Conversation, Turn
from ...engine import protocol
from ...store import Branch, StoreError
from ...ui.annotated import annotated
from ..log import show_log
from ..parts import Parts


class ConversationPresenter(QObject):
    """Shows what is said, and does what is asked of a message."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._transcript = transcript = parts.window.transcript
        self._stages = {
            "media": self.tr("Reading files"),
            "vision": self.tr("Looking"),
            "prompt": self.tr("Reading the prompt"),
        }
        talk = parts.talk
        talk.opened.connect(self._opened)
        talk.reread.connect(self._show)
        talk.listed.connect(self._name)
        talk.turn_added.connect(self._turn_added)
        talk.turn_changed.connect(transcript.update_turn)
        talk.said.connect(transcript.append)
        talk.progressed.connect(self._progressed)
        talk.turns_deleted.connect(self._offer_undo)
        talk.troubled.connect(parts.window.notices.say)
        parts.pictures.changed.connect(transcript.reload_pictures)
        transcript.copy_requested.connect(self._copy)
        transcript.regenerate_requested.connect(talk.regenerate)
        transcript.variant_requested.connect(talk.show_variant)
        transcript.continue_requested.connect(talk.go_on)
        transcript.delete_requested.connect(talk.delete_turn)
        transcript.answer_now_requested.connect(talk.answer.answer_now)
        transcript.restart_model_requested.connect(parts.engine.restart)
        transcript.show_log_requested.connect(show_log)
        transcript.save_picture_requested.connect(self._save_picture)
        transcript.media_opened.connect(self._open_media)

    def _opened(
        self, _conversation: Conversation | None, turns: tuple[Turn, ...]
    ) -> None:
        self._transcript.set_progress("")
        self._parts.pictures.forgive()
        self._show(turns)
        self._name()
        self._parts.window.show_chat()

    def _show(self, turns: tuple[Turn, ...]) -> None:
        for turn in turns:
            self._parts.pictures.learn(turn.attachments)
        self._transcript.show_turns(turns)

    def _turn_added(self, turn: Turn) -> None:
        self._parts.pictures.learn(turn.attachments)
        self._transcript.add_turn(turn)
        if turn.role == "user":
            self._transcript.to_end()

    def _name(self) -> None:
        conversation = self._parts.talk.conversation
        title = conversation.title if conversation else ""
        self._parts.window.header.set_title(title or self.tr("New chat"))

    def _progressed(self, progress: protocol.Progress | None) -> None:
        if progress is None:
            self._transcript.set_progress("")
            return
        words = self._stages[progress.stage]
        if progress.total:
            of = self.tr("{words}: {done:,} of {total:,}")
            words = of.format(words=words, done=progress.done, total=progress.total)
        self._transcript.set_progress(words)

    def _offer_undo(self, branch: Branch) -> None:
        count = len(branch.ids)
        words = self.tr("Deleted: a message.")
        if count > 1:
            words = self.tr("Deleted: {count} messages.").format(count=count)
        undo = partial(self._parts.talk.restore_turn, branch)
        self._parts.window.notices.say(words, self.tr("Undo"), undo)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def _open_media(self, attachment: Attachment) -> None:
        try:
            path = self._parts.store.media.file_of(attachment)
        except StoreError as error:
            self._parts.window.notices.say(str(error))
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _save_picture(
        self, digest: str, page: int | None, boxes: tuple[Box, ...]
    ) -> None:
        window = self._parts.window
        shown = self._parts.pictures.picture(digest, page)
        if shown is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            window, self.tr("Save the picture"), "boxes.png", "PNG (*.png)"
        )
        if path and not annotated(shown, boxes, self._parts.theme).save(path):
            words = self.tr("{path} cannot be written. Choose a folder you own.")
            window.notices.say(words.format(path=path))
