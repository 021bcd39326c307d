"""The list of conversations: opened, found, renamed, pinned, deleted, exported."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from ...store import StoreError, export_json, export_markdown
from ..parts import Parts
from ..trouble import told


class SidebarPresenter(QObject):
    """Does with conversations what is asked for in the list."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._window, self._store, self._talk = parts.window, parts.store, parts.talk
        self._say = parts.window.notices.say
        self._sidebar = sidebar = parts.window.sidebar
        parts.talk.listed.connect(self._list)
        parts.talk.opened.connect(self._mark)
        parts.window.new_requested.connect(self._new)
        sidebar.new_requested.connect(self._new)
        sidebar.opened.connect(self._open)
        sidebar.hit_opened.connect(self._open_hit)
        sidebar.search_changed.connect(self._search)
        sidebar.rename_requested.connect(self._rename)
        sidebar.pin_requested.connect(self._pin)
        sidebar.delete_requested.connect(self._delete)
        sidebar.restore_requested.connect(self._restore)
        sidebar.export_requested.connect(self._export)
        parts.window.header.sidebar_toggled.connect(self._toggle)
        self._list()

    def _shown(self) -> int | None:
        conversation = self._talk.conversation
        return conversation.id if conversation else None

    def _list(self) -> None:
        with told(self._say):
            self._sidebar.set_conversations(self._store.conversations())
            self._mark()

    def _mark(self) -> None:
        self._sidebar.set_current(self._shown())

    def _new(self) -> None:
        self._parts.draft.save()
        self._talk.open(None)

    def _open(self, conversation: int) -> None:
        with told(self._say):
            if conversation != self._shown():
                self._parts.draft.save()
                self._talk.open(conversation)
            self._window.show_chat()

    def _open_hit(self, conversation: int, turn: int | None) -> None:
        with told(self._say):
            if turn is not None:
                self._store.reveal(turn)
                if conversation == self._shown():
                    self._talk.reopen()
            self._open(conversation)
            if turn is not None:
                self._window.transcript.scroll_to(turn)

    def _search(self, query: str) -> None:
        with told(self._say):
            hits = self._store.search(query) if query.strip() else None
            self._sidebar.set_hits(hits)

    def _rename(self, conversation: int, title: str) -> None:
        with told(self._say):
            self._talk.rename(conversation, title)

    def _pin(self, conversation: int, pinned: bool) -> None:
        with told(self._say):
            self._store.pin(conversation, pinned)
            self._list()

    def _delete(self, conversation: int) -> None:
        with told(self._say):
            if conversation == self._shown():
                self._parts.draft.save()
            deleted = self._store.conversation(conversation)
            self._talk.leave(conversation)
            self._store.delete(conversation)
            self._list()
            self._sidebar.show_undo(deleted)

    def _restore(self, conversation: int) -> None:
        with told(self._say):
            self._store.restore(conversation)
            self._list()

    def _export(self, conversation: int, form: str) -> None:
        folder = QFileDialog.getExistingDirectory(
            self._window, self.tr("Export into a folder")
        )
        if not folder:
            return
        store = self._store
        try:
            about = store.conversation(conversation)
            if form == "json":
                written = export_json(about, store.turns(conversation), Path(folder))
            else:
                turns = store.path(conversation)
                written = export_markdown(about, turns, store.media, Path(folder))
        except (StoreError, OSError) as error:
            self._say(str(error))
        else:
            self._say(self.tr("Exported: {path}").format(path=written))

    def _toggle(self) -> None:
        self._parts.settings.change(sidebar_shown=not self._sidebar.isVisible())
