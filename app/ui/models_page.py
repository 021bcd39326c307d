"""The models page: every model the app knows, and what can be done with each.

Shows entries, transfers and the engine's state; emits intents. Decides nothing.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from ..models import EngineState, ModelEntry, Transfer
from .models_row import ModelRow
from .page import Page, wrapped
from .palette import XXS


class ModelsPage(Page):
    """Rows by model; a row stays where it is while its state changes."""

    load_requested = Signal(str)
    unload_requested = Signal()
    download_requested = Signal(str)
    pause_requested = Signal(str)
    resume_requested = Signal(str)
    cancel_requested = Signal(str)
    delete_requested = Signal(str)
    convert_requested = Signal(str, str)
    folder_added = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Models"), parent)
        self._entries: tuple[ModelEntry, ...] = ()
        self._transfers: dict[str, Transfer] = {}
        self._engine = EngineState()
        self._rows: dict[str, ModelRow] = {}

    def build(self) -> None:
        self._rows = {}
        self._waiting = wrapped(self.tr("Looking for models"), "muted", self)
        self.column.addWidget(self._waiting)
        self.add_button = QPushButton(self.tr("Add a folder…"), self)
        self.add_button.clicked.connect(self._choose_folder)
        words = self.tr("A folder with a model, or with several models in it.")
        self.add_button.setAccessibleDescription(words)
        add = QVBoxLayout()
        add.setSpacing(XXS)
        add.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        add.addWidget(wrapped(words, "meta", self))
        self.column.addLayout(add)
        self.column.addStretch(1)
        self._show()

    def set_entries(self, entries: tuple[ModelEntry, ...]) -> None:
        """Show these models, in this order."""
        self._entries = tuple(entries)
        self._show()

    def set_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """Show these downloads and conversions in their models' rows."""
        self._transfers = {each.model: each for each in transfers}
        self._show()

    def set_engine(self, state: EngineState) -> None:
        """Mark the model that is loaded, or loading, or failed."""
        self._engine = state
        self._show()

    def row(self, name: str) -> ModelRow:
        """The row of a model that is shown."""
        self.make()
        return self._rows[name]

    def _show(self) -> None:
        if not self.is_built:
            return
        names = {entry.name for entry in self._entries}
        for name in [name for name in self._rows if name not in names]:
            row = self._rows.pop(name)
            self.column.removeWidget(row)
            row.deleteLater()
        for place, entry in enumerate(self._entries):
            row = self._rows.get(entry.name) or self._add_row(entry)
            if self.column.indexOf(row) != place:
                self.column.insertWidget(place, row)
            row.show_model(entry, self._transfers.get(entry.name), self._engine)
        self._waiting.setVisible(not self._entries)

    def _add_row(self, entry: ModelEntry) -> ModelRow:
        row = ModelRow(entry, self)
        row.load_requested.connect(self.load_requested)
        row.unload_requested.connect(self.unload_requested)
        row.download_requested.connect(self.download_requested)
        row.pause_requested.connect(self.pause_requested)
        row.resume_requested.connect(self.resume_requested)
        row.cancel_requested.connect(self.cancel_requested)
        row.delete_requested.connect(self.delete_requested)
        row.convert_requested.connect(self.convert_requested)
        self._rows[entry.name] = row
        return row

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, self.tr("A folder with a model")
        )
        if chosen:
            self.folder_added.emit(Path(chosen))
