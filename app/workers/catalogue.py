"""The list of models, made by a child process whenever somebody asks.

Knows which folders a person named. Does not know models: the child looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..models import ModelEntry
from ..processes.link import JsonProcess
from .child import start_worker


class Catalogue(QObject):
    """`changed` brings every model; `folders_changed` the folders to remember."""

    changed = Signal(object)  # tuple[ModelEntry, ...]
    folders_changed = Signal(object)  # tuple[str, ...]
    failed = Signal(str)

    def __init__(
        self, folders: Sequence[str] = (), parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._folders = tuple(folders)
        self._entries: tuple[ModelEntry, ...] = ()
        self._process: JsonProcess | None = None
        self._again = False

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """What was found last."""
        return self._entries

    def entry(self, name: str) -> ModelEntry | None:
        """The model of this name, None when it was not found."""
        return next((each for each in self._entries if each.name == name), None)

    def refresh(self) -> None:
        """Look again; while one look is under way, once more after it."""
        if self._process is not None:
            self._again = True
            return
        self._process = start_worker("models", self)
        self._process.received.connect(self._received)
        self._process.ended.connect(self._ended)
        self._process.send({"do": "list", "folders": list(self._folders)})

    def add_folder(self, path: Path) -> None:
        """List a folder's models from now on."""
        self._set_folders(dict.fromkeys((*self._folders, str(path))))

    def forget_folder(self, name: str) -> None:
        """List it no longer; a model inside a named folder takes that one along."""
        gone = {name, str(Path(name).parent)}
        self._set_folders([each for each in self._folders if each not in gone])

    def close(self) -> None:
        """End the child, if one is looking."""
        self._again = False
        self._end()

    def _set_folders(self, folders: Sequence[str] | dict[str, None]) -> None:
        if tuple(folders) != self._folders:
            self._folders = tuple(folders)
            self.folders_changed.emit(self._folders)
        self.refresh()

    def _received(self, told: dict[str, Any]) -> None:
        self._end()
        if told["event"] == "models":
            self._entries = tuple(map(_entry, told["entries"]))
            self.changed.emit(self._entries)
        else:
            self.failed.emit(told["problem"])
        self._look_again()

    def _ended(self) -> None:
        if self._process is None:
            return
        self._end()
        self.failed.emit(self.tr("The list of models could not be made; try again."))
        self._look_again()

    def _look_again(self) -> None:
        again, self._again = self._again, False
        if again:
            self.refresh()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.deleteLater()


def _entry(plain: dict[str, Any]) -> ModelEntry:
    """The entry that came as JSON, which has lists for tuples."""
    pace = plain["pace"] and tuple(plain["pace"])
    return ModelEntry(**{**plain, "sums": tuple(plain["sums"]), "pace": pace})
