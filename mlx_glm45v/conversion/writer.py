"""The output's weight files: laid out under temporary names, filled in place, renamed.

Knows descriptors, offsets and names; the disk's errors become `ConversionError`. Does
not know what the bytes mean, nor which are there already: that is the journal's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import ConversionError
from .disk import crc_of, existing_parent, explained, sync_file, sync_folder
from .layout import OutputFile, Slot

_BLOCK_BYTES = 512  # the unit of st_blocks, whatever the disk's own is
# What the small files and the file system's own tables take, generously.
_SPARE = 64_000_000


def temporary_name(name: str) -> str:
    """`model.safetensors` -> `.model.safetensors.part`, which no loader takes."""
    return f".{name}.part"


class Writer(AbstractContextManager["Writer"]):
    """The weight files of one folder while they are being written."""

    def __init__(
        self, folder: Path, files: Sequence[OutputFile], *, finishing: bool = False
    ) -> None:
        """`finishing`: an earlier run wrote everything and may have renamed files."""
        self._folder = folder
        self._files = files
        self._finishing = finishing
        self._descriptors: dict[str, int] = {}
        self._dirty: set[str] = set()

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def check_space(self, *, extra: int = 0) -> None:
        """Raise `ConversionError` unless what is still to be written fits the disk.

        `extra` bytes are needed beside the files; below 0, so many will be given back.
        """
        needed = extra + _SPARE
        for file in self._files:
            path = self._find(file)
            held = path.stat().st_blocks * _BLOCK_BYTES if path else 0
            needed += max(0, file.size - held)
        free = shutil.disk_usage(existing_parent(self._folder)).free
        if free < needed:
            raise ConversionError(
                f"the disk of {self._folder} has {free / 1e9:.2f} GB free, "
                f"{needed / 1e9:.2f} GB are needed; free {(needed - free) / 1e9:.2f} "
                "GB, choose another disk, or a recipe with fewer bits"
            )

    def missing(self) -> set[str]:
        """Names of the files that no earlier run left here with their size and header.

        An earlier run means one of the same plan.
        """
        return {file.name for file in self._files if self._find(file) is None}

    def lay_out(self) -> Iterator[str]:
        """Open each file, the `missing` ones made at their full size; their names."""
        for file in self._files:
            with explained(self._folder / file.name):
                path = self._find(file)
                if path is not None:
                    descriptor = os.open(path, os.O_RDWR)
                else:
                    path = self._folder / temporary_name(file.name)
                    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
                    descriptor = os.open(path, flags, 0o644)
                    os.ftruncate(descriptor, file.size)
                    _write_all(descriptor, file.header, 0)
                self._descriptors[file.name] = descriptor
                # An earlier run may have written without syncing, too.
                self._dirty.add(file.name)
            yield file.name

    def write(self, slot: Slot, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset of an array's place."""
        with explained(self._folder / slot.file):
            _write_all(self._descriptors[slot.file], data, slot.start + offset)
        self._dirty.add(slot.file)

    def checksum(self, slot: Slot, offset: int, nbytes: int) -> int:
        """CRC-32 of bytes written earlier."""
        with explained(self._folder / slot.file):
            return crc_of(self._descriptors[slot.file], slot.start + offset, nbytes)

    def sync(self) -> None:
        """Put everything written so far on disk."""
        for name in sorted(self._dirty):
            with explained(self._folder / name):
                sync_file(self._descriptors[name])
        self._dirty.clear()

    def publish(self) -> Iterator[str]:
        """Give every file its final name; the caller has synced."""
        for file in self._files:
            temporary = self._folder / temporary_name(file.name)
            with explained(self._folder / file.name):
                if temporary.exists():
                    temporary.replace(self._folder / file.name)
            yield file.name
        with explained(self._folder):
            sync_folder(self._folder)

    def _find(self, file: OutputFile) -> Path | None:
        """Where a file of an earlier run lies that is the plan's, None elsewhere."""
        names = (temporary_name(file.name), file.name)
        for name in names if self._finishing else names[:1]:
            path = self._folder / name
            if path.is_file() and path.stat().st_size == file.size:
                with path.open("rb") as stream:
                    if stream.read(len(file.header)) == file.header:
                        return path
        return None


def _write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
