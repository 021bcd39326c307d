"""Downloads and conversions, each in a process of its own.

Pausing kills the process, resuming starts it again: the library goes on from what is
on the disk. What is unfinished stands in a file and comes back paused when the app
starts. Does not know who shows it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from ..models import Transfer
from ..processes.link import JsonProcess
from .child import start_worker
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
        self._processes: dict[str, JsonProcess] = {}
        self._rates: dict[str, Rate] = {}
        self._removers: dict[str, JsonProcess] = {}
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
        if model not in self._processes:
            self._begin(Errand(model, "download"))

    def convert(self, model: str, recipe: str, target: Path | None = None) -> None:
        """Convert a folder or repository, by default into the app's own folder."""
        if model in self._processes:
            return
        name = f"{Path(model).name}-{recipe}"
        place = str(target or self._folder / name)
        self._begin(Errand(model, "convert", target=place, recipe=recipe))

    def pause(self, model: str) -> None:
        """End the process; what it did is kept."""
        if self._end_process(model):
            self._show(model, state="paused", rate=0.0, seconds_left=None)
            self._remember()

    def resume(self, model: str) -> None:
        """Go on where it stopped; a part of a repository found in the cache, too."""
        if model in self._processes:
            return
        self._begin(self._errands.get(model) or Errand(model, "download"))

    def cancel(self, model: str) -> None:
        """End it and remove what a download has fetched, unless that was complete."""
        self._end_process(model)
        errand = self._errands.pop(model, None)
        self._transfers.pop(model, None)
        self._remember()
        self.changed.emit(self.transfers)
        if errand is not None and errand.kind == "download":
            self._remove(model, only_partial=True)

    def delete(self, model: str) -> None:
        """Remove a repository from the Hub's cache."""
        self._end_process(model)
        self._errands.pop(model, None)
        if self._transfers.pop(model, None) is not None:
            self._remember()
            self.changed.emit(self.transfers)
        self._remove(model, only_partial=False)

    def close(self) -> None:
        """End all processes; unfinished work is shown paused at the next start."""
        for model in list(self._processes):
            self._end_process(model)
        for remover in self._removers.values():
            remover.kill()
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
        process = start_worker(errand.kind, self)
        self._processes[model] = process
        process.received.connect(lambda told: self._received(model, told))
        process.ended.connect(lambda: self._ended(model, process))
        request: dict[str, Any] = {"model": model}
        if errand.kind == "convert":
            request |= {"target": errand.target, "recipe": errand.recipe}
        process.send(request)
        self.changed.emit(self.transfers)

    def _received(self, model: str, told: dict[str, Any]) -> None:
        if model not in self._processes:
            return  # killed a moment ago
        match told["event"]:
            case "progress":
                self._advance(model, told)
            case "done":
                self._end_process(model)
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

    def _ended(self, model: str, process: JsonProcess) -> None:
        if self._processes.get(model) is not process:
            return
        self._fail(
            model,
            self.tr("It stopped without a word. What is done is kept: try again."),
        )

    def _fail(self, model: str, problem: str) -> None:
        """What is there is kept, and "Resume" goes on from it."""
        self._end_process(model)
        self._remember()
        self._show(model, state="failed", rate=0.0, seconds_left=None, problem=problem)

    def _show(self, model: str, **changes: Any) -> None:
        self._transfers[model] = replace(self._transfers[model], **changes)
        self.changed.emit(self.transfers)

    def _end_process(self, model: str) -> bool:
        process = self._processes.pop(model, None)
        if process is None:
            return False
        process.kill()
        process.deleteLater()
        return True

    def _remember(self) -> None:
        self._written = time.monotonic()
        write_errands(self._file, self._errands.values())

    def _remove(self, model: str, *, only_partial: bool) -> None:
        if model in self._removers:
            return
        remover = start_worker("models", self)
        self._removers[model] = remover
        remover.received.connect(lambda told: self._removed(model, told))
        remover.ended.connect(lambda: self._removed(model, None))
        remover.send({"do": "delete", "model": model, "only_partial": only_partial})

    def _removed(self, model: str, told: dict[str, Any] | None) -> None:
        remover = self._removers.pop(model, None)
        if remover is None:
            return
        remover.kill()
        remover.deleteLater()
        if told is not None and told["event"] == "deleted":
            self.deleted.emit(model)
        else:
            unknown = self.tr("Deleting ended without a word; try again.")
            self.failed.emit(model, unknown if told is None else told["problem"])
