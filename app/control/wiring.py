"""Connects the window with talk, draft, arrivals, models and settings.

Each signal of a widget finds its receiver here, and each change its widget; the only
room that knows both.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

from PySide6.QtCore import QObject, QProcess, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QPixmap
from PySide6.QtWidgets import QFileDialog, QMessageBox

from ..conversation import Attachment, Box, Conversation, Turn
from ..engine import protocol
from ..engine.client import EngineClient
from ..models import EngineState, Transfer
from ..paths import data_folder, log_file
from ..settings import Settings, SettingsKeeper
from ..store import Store, StoreError, export_json, export_markdown
from ..ui.annotated import annotated
from ..ui.composer import CardValue, Offered
from ..ui.empty import Example
from ..ui.main_window import MainWindow
from ..ui.theme import Theme
from ..workers.catalogue import Catalogue
from ..workers.media import MediaWorker
from ..workers.transfers import Transfers
from .arrivals import Arrivals
from .draft import Draft, Item
from .pictures import Pictures
from .talk import Talk
from .trouble import told

_STAGES = {
    "media": "Reading files",
    "vision": "Looking",
    "prompt": "Reading the prompt",
}


# Refused files that are named one by one.
_MOST_LINES = 4
# Cards that change within so many milliseconds are shown together.
_TOGETHER_MS = 30


class Wiring(QObject):
    """Owns everything that is no widget; `close` ends it."""

    def __init__(
        self,
        *,
        theme: Theme,
        settings: SettingsKeeper,
        store: Store,
        engine: EngineClient,
        examples: tuple[Example, ...],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme, self._settings, self._store = theme, settings, store
        self.engine = engine
        folder = data_folder()
        self.media = MediaWorker(store.media.previews, self)
        self.pictures = Pictures(self.media, self)
        self.talk = Talk(store, engine, settings, self)
        self.draft = Draft(self.media, store.media.file_of, self)
        self.arrivals = Arrivals(store.media, self)
        self.transfers = Transfers(folder / "transfers.json", folder / "models", self)
        self.catalogue = Catalogue(settings.settings.model_folders, self)
        self.window = MainWindow(theme, self._picture, examples)
        self._editing: int | None = None
        self._refusals: list[str] = []
        self._showing = QTimer(self, singleShot=True, interval=_TOGETHER_MS)
        self._showing.timeout.connect(self._show_cards)
        self._restarts = False
        self._engine_noticed = False
        self._used: int | None = None
        self._shown: int | None = None
        self._new_thinking = True
        self._look: tuple[str, float, bool] | None = None
        self._connect_talk()
        self._connect_composer()
        self._connect_transcript()
        self._connect_sidebar()
        self._connect_models()
        self._connect_settings()

    def begin(self) -> None:
        """Show the last state: settings, conversations, models; load the model."""
        self._apply(self._settings.settings)
        self._list()
        self.talk.open(None)
        self._engine_changed(self.engine.state)
        if self._store.recovered is not None:
            words = self.tr(
                "The conversations could not be read and were put aside as {name}; "
                "this is a new, empty list."
            )
            self.window.notices.say(words.format(name=self._store.recovered))
        settings = self._settings.settings
        if settings.load_last_model:
            self.engine.load(settings.last_model)
        self.catalogue.refresh()

    def offer_paths(self, paths: tuple[Path, ...]) -> None:
        """Files that were opened with the app."""
        self.window.show_chat()
        self.arrivals.bring_paths(paths)

    def close(self) -> None:
        """Keep the draft, end all processes; waits for nobody."""
        self.draft.save()
        self.engine.shutdown()
        self.media.close()
        self.transfers.close()
        self.catalogue.close()
        self.arrivals.close()
        self.window.transcript.shut_down()
        try:
            self._store.purge_deleted()
            self._store.close()
        except StoreError as error:
            print(error, file=sys.stderr)

    # Talk.

    def _connect_talk(self) -> None:
        talk, window = self.talk, self.window
        talk.opened.connect(self._opened)
        talk.listed.connect(self._list)
        talk.turn_added.connect(self._turn_added)
        talk.turn_changed.connect(window.transcript.update_turn)
        talk.said.connect(window.transcript.append)
        talk.progressed.connect(self._progressed)
        talk.busy_changed.connect(self._busy_changed)
        talk.queue_changed.connect(window.composer.set_queue)
        talk.troubled.connect(window.notices.say)
        window.notices.helped.connect(self._help)
        self.engine.state_changed.connect(self._engine_changed)

    def _opened(
        self, conversation: Conversation | None, turns: tuple[Turn, ...]
    ) -> None:
        for turn in turns:
            self._learn(turn)
        self.window.transcript.show_turns(turns)
        places = [n for n, turn in enumerate(turns) if turn.id == self._editing]
        if conversation is None or self._shown != conversation.id:
            self._editing = None
            self.window.transcript.set_progress("")
            self._open_draft(conversation, turns)
        elif places:
            self.draft.set_turns(turns[: places[0]])
        else:
            self._editing = None
            self.draft.set_turns(turns)
        self._shown = conversation.id if conversation else None
        self._name(conversation)
        self.window.sidebar.set_current(self._shown)
        self._tell_engine(self.engine.state)
        self.window.show_chat()

    def _open_draft(
        self, conversation: Conversation | None, turns: tuple[Turn, ...]
    ) -> None:
        thinking = conversation.thinking if conversation else self._new_thinking
        text = conversation.draft if conversation else ""
        attachments = conversation.draft_attachments if conversation else ()
        self.draft.open(text, attachments, turns, thinking=thinking)
        self.window.composer.set_text(text)
        self.window.composer.set_thinking(thinking)

    def _turn_added(self, turn: Turn) -> None:
        self._learn(turn)
        self.window.transcript.add_turn(turn)
        if turn.role == "user":
            self.window.transcript.to_end()
            self._name(self.talk.conversation)

    def _learn(self, turn: Turn) -> None:
        for attachment in turn.attachments:
            self._learn_one(attachment)

    def _learn_one(self, attachment: Attachment) -> None:
        try:
            path = self._store.media.file_of(attachment)
        except StoreError:
            return  # its place stays empty; asking about it says why
        self.pictures.learn(attachment, path)

    def _name(self, conversation: Conversation | None) -> None:
        title = conversation.title if conversation else ""
        self.window.header.set_title(title or self.tr("New chat"))

    def _list(self) -> None:
        self.window.sidebar.set_conversations(self._store.conversations())
        current = self.talk.conversation
        self.window.sidebar.set_current(current.id if current else None)

    def _progressed(self, progress: protocol.Progress | None) -> None:
        if progress is None:
            self.window.transcript.set_progress("")
            return
        words = self.tr(_STAGES[progress.stage])
        if progress.total:
            of = self.tr("{words}: {done:,} of {total:,}")
            words = of.format(words=words, done=progress.done, total=progress.total)
        self.window.transcript.set_progress(words)

    def _busy_changed(self, busy: bool) -> None:
        self.window.composer.set_busy(busy)
        if not busy:
            self.draft.set_turns(self.talk.turns())

    def _engine_changed(self, state: EngineState) -> None:
        window = self.window
        window.sidebar.set_engine(state)
        window.header.set_engine(state)
        window.models.set_engine(state)
        loaded = state.phase in ("ready", "working")
        window.empty.set_model(
            state.title if loaded or state.phase == "loading" else "",
            is_demo=state.model == "demo",
        )
        window.transcript.set_restartable(state.restartable)
        if state.phase == "ready" and state.model:
            self.media.set_model(state.model)
            self._settings.change(last_model=state.model)
        self._tell_engine(state)
        self._block()
        self._show_cost()

    def _tell_engine(self, state: EngineState) -> None:
        """Say over the conversation why there is no model, unless its end does."""
        failed = state.phase == "failed" and state.problem is not None
        if failed:
            last = self.talk.turns()[-1:]
            failed = not any(turn.error == state.problem for turn in last)
        if failed:
            self._restarts = state.restartable
            restart, choose = self.tr("Restart the model"), self.tr("Choose a model")
            words = restart if self._restarts else choose
            self.window.notices.say(state.problem or "", words)
            self._engine_noticed = True
        elif self._engine_noticed:
            self._engine_noticed = False
            self.window.notices.hide()

    def _help(self) -> None:
        if self._restarts:
            self.engine.restart()
        else:
            self.window.show_page(self.window.models)

    # Composer and draft.

    def _connect_composer(self) -> None:
        composer, draft = self.window.composer, self.draft
        composer.send_requested.connect(self._send)
        composer.stop_requested.connect(self.talk.stop)
        composer.text_changed.connect(draft.set_text)
        composer.thinking_toggled.connect(self._set_thinking)
        composer.detail_changed.connect(self._set_detail)
        composer.files_offered.connect(self.arrivals.bring_paths)
        composer.bytes_offered.connect(self.arrivals.bring_bytes)
        composer.urls_offered.connect(self.arrivals.bring_urls)
        composer.attachment_removed.connect(draft.remove)
        composer.attachment_moved.connect(draft.move)
        composer.attachment_opened.connect(self._open_item)
        composer.region_requested.connect(self._take_region)
        composer.edit_last_requested.connect(self._edit_last)
        composer.field.cancelled.connect(self._cancel_editing)
        composer.queue_edited.connect(self.talk.edit_waiting)
        composer.queue_removed.connect(self.talk.remove_waiting)
        self.window.drops.offered.connect(self._offered)
        self.arrivals.arrived.connect(self._arrived)
        self.arrivals.refused.connect(self._refused)
        draft.changed.connect(self._show_draft)
        draft.counted.connect(self._counted)
        draft.settled.connect(self._keep_draft)
        self.pictures.changed.connect(self._pictures_changed)
        self.pictures.unreadable.connect(draft.mark_unreadable)
        self.window.empty.chosen.connect(self._try_example)

    def _offered(self, offered: Offered) -> None:
        self.window.show_chat()
        self.window.composer.show_notice("")
        if offered.paths:
            self.arrivals.bring_paths(offered.paths)
        for data, name in offered.images:
            self.arrivals.bring_bytes(data, name)
        if offered.urls:
            self.arrivals.bring_urls(offered.urls)

    def _arrived(self, attachment: Attachment) -> None:
        self._learn_one(attachment)
        self.draft.add(attachment)

    def _refused(self, name: str, why: str) -> None:
        if not self.window.composer.notice.text:
            self._refusals.clear()
        self._refusals.append(f"{name}: {why}")
        lines, more = self._refusals[:_MOST_LINES], len(self._refusals) - _MOST_LINES
        if more > 0:
            lines.append(self.tr("{count} more could not be added.").format(count=more))
        self.window.composer.show_notice("\n".join(lines))

    def _try_example(self, example: Example) -> None:
        self.window.composer.set_text(example.question)
        self.draft.set_text(example.question)
        self.arrivals.bring_paths(example.files)

    def _send(self, text: str) -> None:
        attachments = self.draft.attachments
        if not text.strip() and not attachments:
            return
        editing = self._editing
        try:
            conversation = self.talk.ensure_conversation(thinking=self._thinking())
            self._shown = conversation.id
            self.talk.send(text.strip(), attachments, editing=editing)
        except StoreError as error:  # a full disk, say: the words stay where they are
            self.window.notices.say(str(error))
            return
        if editing is not None:
            self._stop_editing()
        else:
            self.window.composer.set_text("")
            self.draft.clear()

    def _stop_editing(self) -> None:
        """Back to what stood in the composer before a message was edited."""
        self._editing = None
        self.window.composer.show_notice("")
        conversation = self.talk.conversation
        if conversation is not None:
            self.talk.open(conversation.id)
            self._open_draft(self.talk.conversation, self.talk.turns())

    def _cancel_editing(self) -> None:
        if self._editing is not None and not self.talk.busy:
            self._stop_editing()

    def _thinking(self) -> bool:
        conversation = self.talk.conversation
        return conversation.thinking if conversation else self._new_thinking

    def _set_thinking(self, on: bool) -> None:
        self._new_thinking = on
        self.talk.set_thinking(on)
        self.draft.set_thinking(on)

    def _set_detail(self, detail: str) -> None:
        self._settings.change(detail=detail)
        self.draft.set_detail(detail)

    def _show_draft(self) -> None:
        self._block()
        if not self._showing.isActive():
            self._showing.start()

    def _show_cards(self) -> None:
        values = tuple(self._card(item) for item in self.draft.items)
        self.window.composer.set_attachments(values)

    def _card(self, item: Item) -> CardValue:
        attachment, cost = item.attachment, item.cost
        page = attachment.pages[0] if attachment.pages else None
        shown = self.pictures.picture(attachment.digest, page)
        return CardValue(
            key=item.key,
            name=attachment.name,
            kind=attachment.kind,
            thumbnail=shown,
            tokens=cost.tokens if cost else None,
            length=cost.duration if cost and attachment.kind == "video" else None,
            pages=cost.pages if cost and attachment.kind == "document" else None,
            problem=item.problem,
            reading=cost is None and item.problem is None,
        )

    def _counted(self, used: int | None) -> None:
        self._used = used
        self._show_cost()
        self._block()

    def _show_cost(self) -> None:
        whole = self._context()
        self.window.composer.set_cost(self._used, whole)
        self.window.header.set_context(self._used, whole)

    def _context(self) -> int:
        state, chosen = self.engine.state, self._settings.settings.context
        return min(chosen or state.context_length, state.context_length)

    def _block(self) -> None:
        phase = self.engine.state.phase
        reason = None
        if phase in ("off", "failed"):
            reason = self.tr("No model is loaded. Choose one on the models page.")
        elif self.draft.is_reading:
            reason = self.tr("A file is still being read.")
        elif self._used is not None and 0 < self._context() <= self._used:
            reason = self.tr("This is longer than the model's context.")
        self.window.composer.set_blocked(reason)

    def _keep_draft(self, text: str, attachments: tuple[Attachment, ...]) -> None:
        with told(self.window.notices.say):
            if self._editing is not None:
                return
            if self.talk.conversation is None:
                if not text.strip() and not attachments:
                    return
                self.talk.ensure_conversation(thinking=self._new_thinking)
                self._shown = (
                    self.talk.conversation.id if self.talk.conversation else None
                )
                self._list()
            self.talk.keep_draft(text, attachments)

    def _open_item(self, key: str) -> None:
        item = self.draft.item(key)
        if item is not None:
            self._open_media(item.attachment)

    def _open_media(self, attachment: Attachment) -> None:
        path = self._store.media.file_of(attachment)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _take_region(self) -> None:
        if sys.platform != "darwin":
            words = self.tr("Taking a picture of the screen works on a Mac only.")
            self.window.composer.show_notice(words)
            return
        with NamedTemporaryFile(suffix=".png", delete=False) as file:
            path = Path(file.name)
        process = QProcess(self)

        def taken() -> None:
            process.deleteLater()
            if path.stat().st_size:  # nothing where the person pressed Esc
                name = self.tr("Screen region.png")
                self.arrivals.bring_bytes(path.read_bytes(), name)
            path.unlink()

        process.finished.connect(taken)
        process.start("screencapture", ["-i", str(path)])

    def _edit_last(self) -> None:
        asked = [turn for turn in self.talk.turns() if turn.role == "user"]
        if asked:
            self._edit(asked[-1].id)

    def _edit(self, turn: int) -> None:
        if self.talk.busy:
            return
        self.draft.save()
        turns = self.talk.turns()
        place = next(n for n, each in enumerate(turns) if each.id == turn)
        question = turns[place]
        self._editing = turn
        self.draft.open(
            question.text,
            question.attachments,
            turns[:place],
            thinking=self._thinking(),
        )
        self.window.composer.set_text(question.text)
        words = self.tr("You are editing a message that was sent. Esc leaves it as is.")
        self.window.composer.show_notice(words)
        self.window.composer.setFocus()

    # Transcript.

    def _connect_transcript(self) -> None:
        transcript = self.window.transcript
        transcript.copy_requested.connect(self._copy)
        transcript.regenerate_requested.connect(self.talk.regenerate)
        transcript.edit_requested.connect(self._edit)
        transcript.variant_requested.connect(self.talk.show_variant)
        transcript.continue_requested.connect(self.talk.go_on)
        transcript.delete_requested.connect(self.talk.delete_turn)
        transcript.answer_now_requested.connect(self.talk.answer_now)
        transcript.restart_model_requested.connect(self.engine.restart)
        transcript.show_log_requested.connect(self._show_log)
        transcript.save_picture_requested.connect(self._save_picture)
        transcript.media_opened.connect(self._open_media)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def _show_log(self) -> None:
        path = log_file()
        path.touch()
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _picture(self, digest: str, page: int | None) -> QPixmap | None:
        return self.pictures.picture(digest, page)

    def _pictures_changed(self) -> None:
        self.window.transcript.reload_pictures()
        self._show_draft()

    def _save_picture(
        self, digest: str, page: int | None, boxes: tuple[Box, ...]
    ) -> None:
        shown = self.pictures.picture(digest, page)
        if shown is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self.window, self.tr("Save the picture"), "boxes.png", "PNG (*.png)"
        )
        if path and not annotated(shown, boxes, self._theme).save(path):
            words = self.tr("{path} cannot be written. Choose a folder you own.")
            self.window.notices.say(words.format(path=path))

    # Sidebar.

    def _connect_sidebar(self) -> None:
        sidebar, window = self.window.sidebar, self.window
        sidebar.new_requested.connect(self._new)
        window.new_requested.connect(self._new)
        sidebar.opened.connect(self._open)
        sidebar.hit_opened.connect(self._open_hit)
        sidebar.search_changed.connect(self._search)
        sidebar.rename_requested.connect(self._rename)
        sidebar.pin_requested.connect(self._pin)
        sidebar.delete_requested.connect(self._delete)
        sidebar.restore_requested.connect(self._restore)
        sidebar.export_requested.connect(self._export)
        sidebar.models_requested.connect(lambda: window.show_page(window.models))
        sidebar.settings_requested.connect(lambda: window.show_page(window.settings))
        window.header.models_requested.connect(lambda: window.show_page(window.models))
        window.empty.models_requested.connect(lambda: window.show_page(window.models))
        window.header.sidebar_toggled.connect(self._toggle_sidebar)

    def _new(self) -> None:
        self.draft.save()
        self.talk.open(None)

    def _open(self, conversation: int) -> None:
        with told(self.window.notices.say):
            if conversation != self._shown:
                self.draft.save()
                self.talk.open(conversation)
            self.window.show_chat()

    def _open_hit(self, conversation: int, turn: int | None) -> None:
        with told(self.window.notices.say):
            if turn is not None:
                self._store.reveal(turn)
                if conversation == self._shown:
                    self.talk.open(conversation)
            self._open(conversation)
            if turn is not None:
                self.window.transcript.scroll_to(turn)

    def _search(self, query: str) -> None:
        with told(self.window.notices.say):
            hits = self._store.search(query) if query.strip() else None
            self.window.sidebar.set_hits(hits)

    def _rename(self, conversation: int, title: str) -> None:
        with told(self.window.notices.say):
            self._store.rename(conversation, title)
            self._list()
            if conversation == self._shown:
                self._name(self._store.conversation(conversation))

    def _pin(self, conversation: int, pinned: bool) -> None:
        with told(self.window.notices.say):
            self._store.pin(conversation, pinned)
            self._list()

    def _delete(self, conversation: int) -> None:
        with told(self.window.notices.say):
            deleted = self._store.conversation(conversation)
            if conversation == self._shown:
                self.draft.save()
                self.talk.open(None)
            self._store.delete(conversation)
            self._list()
            self.window.sidebar.show_undo(deleted)

    def _restore(self, conversation: int) -> None:
        with told(self.window.notices.say):
            self._store.restore(conversation)
            self._list()

    def _export(self, conversation: int, form: str) -> None:
        folder = QFileDialog.getExistingDirectory(
            self.window, self.tr("Export into a folder")
        )
        if not folder:
            return
        store, about = self._store, self._store.conversation(conversation)
        try:
            if form == "json":
                written = export_json(about, store.turns(conversation), Path(folder))
            else:
                turns = store.path(conversation)
                written = export_markdown(about, turns, store.media, Path(folder))
        except (StoreError, OSError) as error:
            self.window.notices.say(str(error))
        else:
            words = self.tr("Exported: {path}")
            self.window.notices.say(words.format(path=written))

    def _toggle_sidebar(self) -> None:
        shown = not self.window.sidebar.isVisible()
        self._settings.change(sidebar_shown=shown)

    # Models.

    def _connect_models(self) -> None:
        page, transfers, catalogue = self.window.models, self.transfers, self.catalogue
        page.load_requested.connect(self._load)
        page.unload_requested.connect(self.engine.unload)
        page.download_requested.connect(transfers.download)
        page.pause_requested.connect(transfers.pause)
        page.resume_requested.connect(transfers.resume)
        page.cancel_requested.connect(transfers.cancel)
        page.delete_requested.connect(self._delete_model)
        page.convert_requested.connect(transfers.convert)
        page.folder_added.connect(catalogue.add_folder)
        catalogue.changed.connect(page.set_entries)
        catalogue.failed.connect(self.window.notices.say)
        catalogue.folders_changed.connect(
            lambda folders: self._settings.change(model_folders=folders)
        )
        transfers.changed.connect(page.set_transfers)
        transfers.finished.connect(self._transferred)
        transfers.deleted.connect(lambda _: catalogue.refresh())
        transfers.failed.connect(lambda _, why: self.window.notices.say(why))
        page.set_transfers(transfers.transfers)

    def _load(self, name: str) -> None:
        entry = self.catalogue.entry(name)
        force = False
        if entry is not None and entry.fits == "no":
            asked = QMessageBox.warning(
                self.window,
                self.tr("Not enough memory"),
                self.tr(
                    "{title} needs more memory than this machine offers, and may stall "
                    "it. Load it all the same?\n\n{sums}"
                ).format(title=entry.title, sums="\n".join(entry.sums)),
                QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel,
                QMessageBox.StandardButton.Cancel,
            )
            if asked != QMessageBox.StandardButton.Yes:
                return
            force = True
        self.engine.load(name, force=force)

    def _delete_model(self, name: str) -> None:
        if self.engine.state.model == name:
            self.engine.unload()
        entry = self.catalogue.entry(name)
        if entry is not None and entry.place == "folder":
            self.catalogue.forget_folder(name)
        else:
            self.transfers.delete(name)

    def _transferred(self, transfer: Transfer, path: Path) -> None:
        if transfer.kind == "convert":
            self.catalogue.add_folder(path)
        else:
            self.catalogue.refresh()

    # Settings.

    def _connect_settings(self) -> None:
        page = self.window.settings
        page.changed.connect(self._choose)
        page.reset_requested.connect(self._settings.reset)
        self._settings.changed.connect(self._apply)

    def _choose(self, choices: dict[str, object]) -> None:
        try:
            self._settings.change(**choices)
        except (TypeError, ValueError) as error:
            self.window.notices.say(str(error))

    def _apply(self, settings: Settings) -> None:
        look = (settings.theme, settings.font_scale, settings.reduced_motion)
        if look != self._look:
            self._look = look
            self._theme.apply(
                settings.theme,
                scale=settings.font_scale,
                reduced_motion=settings.reduced_motion,
            )
        self.window.settings.set_settings(settings)
        self.window.sidebar.setVisible(settings.sidebar_shown)
        self.window.composer.set_detail(settings.detail)
        self.draft.set_settings(settings)
