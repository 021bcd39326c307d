"""The models page: loading, downloads, conversions, folders."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox

from ...models import ModelEntry, Transfer
from ..parts import Parts


class ModelsPresenter(QObject):
    """Does with models what is asked for on their page."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._engine, self._settings = parts.engine, parts.settings
        self._transfers, self._catalogue = parts.transfers, parts.catalogue
        self._window = window = parts.window
        page, transfers, catalogue = window.models, parts.transfers, parts.catalogue
        for way in (window.sidebar, window.header, window.empty):
            way.models_requested.connect(self._show_page)
        page.load_requested.connect(self._load)
        page.unload_requested.connect(parts.engine.unload)
        page.download_requested.connect(transfers.download)
        page.pause_requested.connect(transfers.pause)
        page.resume_requested.connect(transfers.resume)
        page.cancel_requested.connect(transfers.cancel)
        page.delete_requested.connect(self._delete)
        page.convert_requested.connect(transfers.convert)
        page.folder_added.connect(catalogue.add_folder)
        catalogue.changed.connect(page.set_entries)
        catalogue.failed.connect(window.notices.say)
        catalogue.folders_changed.connect(self._folders_changed)
        transfers.changed.connect(page.set_transfers)
        transfers.finished.connect(self._transferred)
        transfers.deleted.connect(self._deleted)
        transfers.failed.connect(self._not_deleted)
        page.set_transfers(transfers.transfers)

    def _show_page(self) -> None:
        self._window.show_page(self._window.models)

    def _load(self, name: str) -> None:
        entry = self._catalogue.entry(name)
        force = entry is not None and entry.fits == "no"
        if entry is None or not force or self._is_sure(entry):
            self._engine.load(name, force=force)

    def _is_sure(self, entry: ModelEntry) -> bool:
        """Whether a model that is too large shall be loaded all the same."""
        words = self.tr(
            "{title} needs more memory than this machine offers, and may stall it. "
            "Load it all the same?\n\n{sums}"
        )
        buttons = QMessageBox.StandardButton
        asked = QMessageBox.warning(
            self._window,
            self.tr("Not enough memory"),
            words.format(title=entry.title, sums="\n".join(entry.sums)),
            buttons.Yes | buttons.Cancel,
            buttons.Cancel,
        )
        return asked == buttons.Yes

    def _delete(self, name: str) -> None:
        if self._engine.state.model == name:
            self._engine.unload()
        entry = self._catalogue.entry(name)
        if entry is not None and entry.place == "folder":
            self._catalogue.forget_folder(name)
        else:
            self._transfers.delete(name)

    def _folders_changed(self, folders: tuple[str, ...]) -> None:
        self._settings.change(model_folders=folders)

    def _transferred(self, transfer: Transfer, path: Path) -> None:
        if transfer.kind == "convert":
            self._catalogue.add_folder(path)
        else:
            self._catalogue.refresh()

    def _deleted(self, _model: str) -> None:
        self._catalogue.refresh()

    def _not_deleted(self, _model: str, why: str) -> None:
        self._window.notices.say(why)
