"""Downloads and conversions, each in a process of its own.

Pausing kills the process, resuming starts it again: the library goes on from what is
on the disk. What is unfinished stands in a file and comes back paused when the app
starts. Does not know who shows it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..models import Transfer
from .child import ModelWorker
from .rate import Rate
from .remembered import Errand, read_errands, write_errands

_SECONDS_BETWEEN_WRITES = 5.0


class Transfers(QObject):
    """The owner of every transfer. `file` remembers, `folder` takes conversions."""

    changed = Signal(object)  # tuple[Transfer, ...]
    finished = Signal(object, object)  # Transfer, Path of the model's folder
    deleted = Signal(str)
    failed = Signal(str, str)  # model, what went wrong while deleting

    def __init__(self, file: Path, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file, self._folder = file, folder
        self._errands: dict[str, Errand] = {}
        self._transfers: dict[str, Transfer] = {}
        self._workers: dict[str, ModelWorker] = {}
        self._rates: dict[str, Rate] = {}
        self._removers: dict[str, ModelWorker] = {}
        self._written = 0.0
        for errand in read_errands(file):
            self._errands[errand.model] = errand
            self._transfers[errand.model] = Transfer(
                errand.model,
                errand.kind,
                "paused",
                done=errand.done,
                total=errand.total,
            )

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """All that are under way, resting, failed or done in this run of the app."""
        return tuple(self._transfers.values())

    def download(self, model: str) -> None:
        """Fetch a repository; nothing happens while it is being fetched."""
        if model not in self._workers:
            self._begin(Errand(model, "download"))

    def convert(self, model: str, recipe: str, target: Path | None = None) -> None:
        """Convert a folder or repository, by default into the app's own folder."""
        if model in self._workers:
            return
        name = f"{Path(model).name}-{recipe}"
        place = str(target or self._free(name))
        self._begin(Errand(model, "convert", target=place, recipe=recipe))

    def _free(self, name: str) -> Path:
        """A folder that is not there yet: two models may have one name."""
        places = [self._folder / name]
        while places[-1].exists():
            places.append(self._folder / f"{name}-{len(places) + 1}")
        return places[-1]

    def pause(self, model: str) -> None:
        """End the process; what it did is kept."""
        if self._end_worker(model):
            self._show(model, state="paused", rate=0.0, seconds_left=None)
            self._remember()

    def resume(self, model: str) -> None:
        """Go on where it stopped; a part of a repository found in the cache, too."""
        if model in self._workers:
            return
        self._begin(self._errands.get(model) or Errand(model, "download"))

    def cancel(self, model: str) -> None:
        """End it and remove what it has made, unless that was complete."""
        self._end_worker(model)
        errand = self._errands.pop(model, None)
        self._transfers.pop(model, None)
        self._remember()
        self.changed.emit(self.transfers)
        if errand is None:
            return
        if errand.kind == "download":
            self._remove(model, {"do": "delete", "only_partial": True})
        elif errand.target is not None:
            self._remove(model, {"do": "discard", "folder": errand.target})

    def delete(self, model: str) -> None:
        """Remove a repository from the Hub's cache."""
        self._end_worker(model)
        self._errands.pop(model, None)
        if self._transfers.pop(model, None) is not None:
            self._remember()
            self.changed.emit(self.transfers)
        self._remove(model, {"do": "delete", "only_partial": False})

    def close(self) -> None:
        """End all processes; unfinished work is shown paused at the next start."""
        for model in list(self._workers):
            self._end_worker(model)
        for remover in self._removers.values():
            remover.end()
        self._removers.clear()
        self._remember()

    def _begin(self, errand: Errand) -> None:
        model = errand.model
        self._errands[model] = errand
        self._rates[model] = Rate()
        self._transfers[model] = Transfer(
            model, errand.kind, "running", done=errand.done, total=errand.total
        )
        self._remember()
        request: dict[str, Any] = {}
        if errand.kind == "convert":
            request = {"target": errand.target, "recipe": errand.recipe}
        worker = ModelWorker(errand.kind, model, request, self)
        worker.told.connect(self._told)
        worker.ended.connect(self._ended)
        self._workers[model] = worker
        self.changed.emit(self.transfers)

    def _told(self, model: str, told: dict[str, Any]) -> None:
        match told["event"]:
            case "progress":
                self._advance(model, told)
            case "done":
                self._end_worker(model)
                self._errands.pop(model, None)
                self._remember()
                total = self._transfers[model].total
                self._show(model, state="done", done=total, rate=0, seconds_left=None)
                self.finished.emit(self._transfers[model], Path(told["folder"]))
            case _:
                self._fail(model, told["problem"])

    def _advance(self, model: str, told: dict[str, Any]) -> None:
        done, total = told["done"], told["total"]
        rate = self._rates[model]
        rate.add(time.monotonic(), done)
        at_end = told["stage"] == "verify" or (total and done >= total)
        self._errands[model] = replace(self._errands[model], done=done, total=total)
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self._remember()
        self._show(
            model,
            state="verifying" if at_end else "running",
            done=done,
            total=total,
            rate=rate.per_second(),
            seconds_left=rate.seconds_left(total),
            item=told["item"],
        )

    def _ended(self, model: str) -> None:
        self._fail(
            model,
            self.tr("It stopped without a word. What is done is kept: try again."),
        )

    def _fail(self, model: str, problem: str) -> None:
        """What is there is kept, and "Resume" goes on from it."""
        self._end_worker(model)
        self._remember()
        self._show(model, state="failed", rate=0.0, seconds_left=None, problem=problem)

    def _show(self, model: str, **changes: Any) -> None:
        self._transfers[model] = replace(self._transfers[model], **changes)
        self.changed.emit(self.transfers)

    def _end_worker(self, model: str) -> bool:
        worker = self._workers.pop(model, None)
        if worker is not None:
            worker.end()
        return worker is not None

    def _remember(self) -> None:
        self._written = time.monotonic()
        try:
            write_errands(self._file, self._errands.values())
        except OSError as error:
            # Only the next start would miss it; what is under way goes on.
            print(f"{self._file} could not be written: {error}", file=sys.stderr)

    def _remove(self, model: str, request: dict[str, Any]) -> None:
        if model in self._removers:
            return
        remover = ModelWorker("models", model, request, self)
        remover.told.connect(self._removed)
        remover.ended.connect(self._removing_ended)
        self._removers[model] = remover

    def _removed(self, model: str, told: dict[str, Any]) -> None:
        self._removers.pop(model).end()
        if told["event"] == "deleted":
            self.deleted.emit(model)
        else:
            self.failed.emit(model, told["problem"])

    def _removing_ended(self, model: str) -> None:
        self._removers.pop(model).end()
        words = self.tr("Deleting ended without a word; try again.")
        self.failed.emit(model, words)
