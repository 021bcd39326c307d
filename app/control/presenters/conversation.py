"""The open conversation: transcript, title, progress."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from ...conversation import Box, Conversation, Turn
from ...engine import protocol
from ...store import Branch
from ...ui.annotated import Ink
from ...ui.words import grouped, time_words
from ...workers.rate import Rate
from ..log import show_log
from ..parts import Parts
from ..saving import PictureSaving

_WORTH_SAYING = 2.0  # seconds


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
        self._stage, self._rate = "", Rate()  # of what goes before the first word
        self._saving = PictureSaving(self)
        self._saving.saved.connect(self._saved)
        self._saving.failed.connect(self._not_saved)
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
            self._stage = ""
            self._transcript.set_progress("")
            return
        words, done, total = self._stages[progress.stage], progress.done, progress.total
        if progress.stage != self._stage:
            self._stage, self._rate = progress.stage, Rate()
        self._rate.add(time.monotonic(), done)
        if total:
            words = self.tr("{words}: {done} of {total}").format(
                words=words, done=grouped(done), total=grouped(total)
            )
        left = self._rate.seconds_left(total)
        if left is not None and left >= _WORTH_SAYING:
            words = self.tr("{words}, {time} left").format(
                words=words, time=time_words(left)
            )
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

    def _save_picture(
        self, digest: str, page: int | None, boxes: tuple[Box, ...]
    ) -> None:
        pictures, window = self._parts.pictures, self._parts.window
        shown = pictures.picture(digest, page)
        if shown is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            window, self.tr("Save the picture"), "boxes.png", "PNG (*.png)"
        )
        if chosen:
            target = Path(chosen)
            target = target if target.suffix else target.with_suffix(".png")
            file = pictures.file_of(digest) if page is None else None
            ink = Ink.of(self._parts.theme)
            self._saving.save(file, shown.toImage(), boxes, ink, target)

    def _saved(self, path: str) -> None:
        self._parts.window.notices.say(self.tr("Saved: {path}").format(path=path))

    def _not_saved(self, path: str) -> None:
        words = self.tr("{path} cannot be written. Choose a folder you own.")
        self._parts.window.notices.say(words.format(path=path))
