"""What is written: sent, queued, edited, kept as a draft."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject

from ...conversation import Attachment, Conversation, Turn
from ...store import StoreError
from ...ui.composer import WaitingValue
from ..parts import Parts
from ..trouble import told


@dataclass(frozen=True)
class _Edit:
    """A message that was sent, as it is being rewritten."""

    turn: int
    text: str
    attachments: tuple[Attachment, ...]


class ComposerPresenter(QObject):
    """Owner of what is being edited, and of the toggle of conversations to come."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._talk, self._draft = parts.talk, parts.draft
        self._settings, self._window = parts.settings, parts.window
        self._composer = composer = parts.window.composer
        self._editing: int | None = None
        # Edits that were begun in conversations that are not open now.
        self._left: dict[int, _Edit] = {}
        self._shown: int | None = None
        self._new_thinking = True
        talk, draft = parts.talk, parts.draft
        talk.opened.connect(self._opened)
        talk.reread.connect(self._reread)
        talk.busy_changed.connect(self._busy_changed)
        talk.outbox.changed.connect(self._show_queue)
        composer.send_requested.connect(self._send)
        composer.stop_requested.connect(talk.answer.stop)
        composer.text_changed.connect(draft.set_text)
        composer.thinking_toggled.connect(self._set_thinking)
        composer.detail_changed.connect(self._set_detail)
        composer.edit_last_requested.connect(self._edit_last)
        composer.field.cancelled.connect(self._cancel_editing)
        composer.queue_edited.connect(talk.outbox.edit)
        composer.queue_removed.connect(talk.outbox.remove)
        composer.queue_held.connect(talk.outbox.hold)
        draft.settled.connect(self._keep)
        parts.window.transcript.edit_requested.connect(self._edit)

    def _opened(
        self, conversation: Conversation | None, turns: tuple[Turn, ...]
    ) -> None:
        self._leave_edit(conversation)
        self._editing = None
        self._composer.set_busy(self._talk.busy_here)
        self._show_queue()
        edit = self._left.pop(conversation.id, None) if conversation else None
        if edit is not None and any(turn.id == edit.turn for turn in turns):
            self._begin_edit(edit, turns)
            return
        thinking = conversation.thinking if conversation else self._new_thinking
        text = conversation.draft if conversation else ""
        attachments = conversation.draft_attachments if conversation else ()
        self._composer.show_notice("")
        self._composer.set_text(text)
        self._composer.set_thinking(thinking)
        self._draft.open(text, attachments, turns, thinking=thinking)

    def _reread(self, turns: tuple[Turn, ...]) -> None:
        places = [n for n, turn in enumerate(turns) if turn.id == self._editing]
        if places:
            turns = turns[: places[0]]
        elif self._editing is not None:  # what was edited is no longer shown
            self._opened(self._talk.conversation, turns)
            return
        self._draft.set_turns(turns)

    def _busy_changed(self, busy: bool) -> None:
        self._composer.set_busy(self._talk.busy_here)
        if not busy and self._editing is None:
            self._draft.set_turns(self._talk.turns())

    def _send(self, text: str) -> None:
        attachments = self._draft.attachments
        if not text.strip() and not attachments:
            return
        editing = self._editing
        try:
            self._shown = self._talk.ensure_conversation(thinking=self._thinking()).id
            self._talk.send(text.strip(), attachments, editing=editing)
        except StoreError as error:  # a full disk, say: the words stay where they are
            self._window.notices.say(str(error))
            return
        if editing is not None:
            self._stop_editing()
        else:
            self._composer.set_text("")
            self._draft.clear()

    def _keep(self, text: str, attachments: tuple[Attachment, ...]) -> None:
        if self._editing is not None:
            return  # the draft of before stays on disk
        with told(self._window.notices.say):
            if self._talk.conversation is None:
                if not text.strip() and not attachments:
                    return
                made = self._talk.ensure_conversation(thinking=self._new_thinking)
                self._shown = made.id
            self._talk.keep_draft(text, attachments)

    # Editing a message that was sent.

    def _edit_last(self) -> None:
        asked = [turn for turn in self._talk.turns() if turn.role == "user"]
        if asked:
            self._edit(asked[-1].id)

    def _edit(self, turn: int) -> None:
        if self._talk.busy_here:
            return
        self._draft.save()
        turns = self._talk.turns()
        question = next(each for each in turns if each.id == turn)
        self._begin_edit(_Edit(turn, question.text, question.attachments), turns)

    def _begin_edit(self, edit: _Edit, turns: tuple[Turn, ...]) -> None:
        place = next(n for n, each in enumerate(turns) if each.id == edit.turn)
        self._editing = edit.turn
        thinking = self._thinking()
        self._composer.set_thinking(thinking)
        self._composer.set_text(edit.text)
        self._draft.open(edit.text, edit.attachments, turns[:place], thinking=thinking)
        words = self.tr("You are editing a message that was sent. Esc leaves it as is.")
        self._composer.show_notice(words)
        self._composer.setFocus()

    def _leave_edit(self, conversation: Conversation | None) -> None:
        """An edit that was begun is there again when its conversation is."""
        left, self._shown = self._shown, conversation.id if conversation else None
        if self._editing is not None and left is not None and left != self._shown:
            draft = self._draft
            self._left[left] = _Edit(self._editing, draft.text, draft.attachments)

    def _cancel_editing(self) -> None:
        if self._editing is not None and not self._talk.busy_here:
            self._stop_editing()

    def _stop_editing(self) -> None:
        """Back to what stood in the composer before."""
        self._editing = None
        self._talk.reopen()
        self._opened(self._talk.conversation, self._talk.turns())

    # The toggle and the detail.

    def _thinking(self) -> bool:
        conversation = self._talk.conversation
        return conversation.thinking if conversation else self._new_thinking

    def _set_thinking(self, on: bool) -> None:
        self._new_thinking = on
        self._talk.set_thinking(on)
        self._draft.set_thinking(on)

    def _set_detail(self, detail: str) -> None:
        self._settings.change(detail=detail)

    def _show_queue(self) -> None:
        """What waits for the open conversation."""
        here = self._talk.conversation
        self._composer.set_queue(
            tuple(
                WaitingValue(each.id, each.text, len(each.attachments))
                for each in self._talk.outbox.waiting
                if here is not None and each.conversation == here.id
            )
        )
