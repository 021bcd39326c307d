"""What a conversion has done so far, on disk, so that another run can go on.

One line of JSON says what the conversion is, then one for each finished piece with the
checksums of what it wrote, and one after each time everything was synced. A killed
process leaves at most a torn last line; a power cut may also lose data behind lines
written since the last sync, so those are `unsure` until their checksums are compared.
Knows neither what pieces are nor the output files.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from ..errors import ConversionError
from .disk import explained, sync_file, sync_folder

JOURNAL_NAME = "conversion.journal"  # an ending that `shards` knows as unfinished

Checksums = tuple[int, ...]


class Journal:
    """An open journal; `begun_as` is its first line.

    Made by `create` or `reopen`. While it is open, no second process can open it.
    `cleared`: the folder was rid of what lay there before.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        begun_as: Mapping[str, Any],
        *,
        sure: dict[int, Checksums] | None = None,
        unsure: dict[int, Checksums] | None = None,
        cleared: bool = False,
    ) -> None:
        self.path = path
        self.begun_as = begun_as
        self.sure = sure or {}
        self.unsure = unsure or {}
        self.cleared = cleared
        self._descriptor = descriptor

    def __contains__(self, piece: int) -> bool:
        """Whether a piece is done, surely or not."""
        return piece in self.sure or piece in self.unsure

    def checksums(self, piece: int) -> Checksums:
        """Those of a finished piece."""
        return self.unsure[piece] if piece in self.unsure else self.sure[piece]

    @classmethod
    def create(
        cls, path: Path, begun_as: Mapping[str, Any], *, replacing: Self | None = None
    ) -> Self:
        """Write a new journal; it is there with its first line or not at all.

        `replacing` is the open journal of an earlier conversion that it takes the place
        of. Raises `ConversionError` when another process was first.
        """
        temporary = path.with_name(f".{path.name}.part")
        descriptor = _open_locked(temporary, os.O_CREAT)
        try:
            # Only who holds the lock on the temporary file may give it the journal's
            # name, so that a journal that is there now is another process's.
            if replacing is None and path.exists():
                raise _busy(path)
            os.ftruncate(descriptor, 0)
            _append(descriptor, begun_as)
            sync_file(descriptor)
            temporary.rename(path)
            sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        if replacing is not None:
            replacing.close()
        return cls(path, descriptor, begun_as)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Read a journal and go on with it.

        What follows the last whole line is cut off. Raises `ConversionError` when the
        first line is not readable, or when another process has the journal open.
        """
        descriptor = _open_locked(path, 0)
        with path.open("rb") as stream:
            lines = stream.read().splitlines(keepends=True)
        records: list[dict[str, Any]] = []
        length = 0
        for line in lines:
            record = _parse(line)
            if record is None:
                break
            records.append(record)
            length += len(line)
        if not records:
            os.close(descriptor)
            raise ConversionError(
                f"{path} cannot be read: it is damaged; start anew with overwriting "
                "switched on (--overwrite)"
            )
        os.ftruncate(descriptor, length)
        sure: dict[int, Checksums] = {}
        unsure: dict[int, Checksums] = {}
        cleared = False
        for record in records[1:]:
            match record:
                case {"done": piece, "checksums": checksums}:
                    unsure[piece] = tuple(checksums)
                case {"synced": _}:
                    sure.update(unsure)
                    unsure.clear()
                case {"lost": pieces}:
                    for piece in pieces:
                        sure.pop(piece, None)
                        unsure.pop(piece, None)
                case {"cleared": _}:
                    cleared = True
        return cls(
            path, descriptor, records[0], sure=sure, unsure=unsure, cleared=cleared
        )

    def note_cleared(self) -> None:
        """Nothing that lay in the folder before is there any more."""
        self._write({"cleared": True}, synced=True)
        self.cleared = True

    def note(self, piece: int, checksums: Checksums) -> None:
        """A piece is written, not necessarily synced."""
        self._write({"done": piece, "checksums": checksums}, synced=False)
        self.unsure[piece] = checksums

    def note_synced(self) -> None:
        """Everything noted so far is on disk: the caller has synced the data."""
        self._write({"synced": len(self.sure) + len(self.unsure)}, synced=True)
        self.sure.update(self.unsure)
        self.unsure.clear()

    def note_lost(self, pieces: Collection[int]) -> None:
        """What was noted of these pieces does not hold: they will be done again.

        On disk before anything is laid out in the place of what was lost, or else a
        later run would take zeros for the pieces.
        """
        self._write({"lost": sorted(pieces)}, synced=True)
        for piece in pieces:
            self.sure.pop(piece, None)
            self.unsure.pop(piece, None)

    def remove(self) -> None:
        """The conversion is finished."""
        with explained(self.path):
            self.path.unlink()
            sync_folder(self.path.parent)
        self.close()

    def _write(self, record: Mapping[str, Any], *, synced: bool) -> None:
        with explained(self.path):
            _append(self._descriptor, record)
            if synced:
                sync_file(self._descriptor)

    def close(self) -> None:
        """Let another process have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _open_locked(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The file may have been renamed or finished between opening and locking.
        still_there = os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (BlockingIOError, FileNotFoundError):
        still_there = False
    if not still_there:
        os.close(descriptor)
        raise _busy(path)
    return descriptor


def _busy(path: Path) -> ConversionError:
    return ConversionError(
        f"{path.parent} is being written by another conversion; wait for it, or "
        "choose another folder"
    )


def _append(descriptor: int, record: Mapping[str, Any]) -> None:
    line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


def _parse(line: bytes) -> dict[str, Any] | None:
    """A whole line's record; None for a torn one or for zeros after a power cut."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
