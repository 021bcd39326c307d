"""What the output's disk is asked for: syncing, checksums, and its errors in words.

Knows descriptors and folders. Does not know what is written.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConversionError

_READ_BYTES = 16_000_000


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """An `OSError` on the way to `path` becomes a `ConversionError` with a way out."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(existing_parent(path.parent)).free
            raise ConversionError(
                f"the disk is full: {path} cannot be written, {free / 1e9:.2f} GB "
                "are free; make room and start the conversion again, it goes on "
                "where it stopped"
            ) from error
        raise ConversionError(
            f"{path} cannot be written ({error.strerror}); see to its disk and "
            "start the conversion again, it goes on where it stopped"
        ) from error


def existing_parent(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def crc_of(
    descriptor: int,
    start: int,
    nbytes: int,
    *,
    advance: Callable[[int], None] | None = None,
) -> int:
    """CRC-32 of a stretch of a file; of as much of it as is there.

    `advance` is told the bytes of each read.
    """
    found, position, stop = 0, start, start + nbytes
    while position < stop:
        data = os.pread(descriptor, min(_READ_BYTES, stop - position), position)
        if not data:
            break
        found = zlib.crc32(data, found)
        position += len(data)
        if advance is not None:
            advance(len(data))
    return found


def sync_file(descriptor: int) -> None:
    """Put a file's data on disk.

    macOS's fsync leaves it in the drive's own cache, which a power cut empties
    (man 2 fsync), so the drive is asked to empty that, too.
    """
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:  # a disk on the network, which knows only the other
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on disk: a rename is not durable before."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)
