"""The checkpoint's files held open, and bytes read from them straight into memory.

Knows descriptors, short reads and how long reading took. Knows no experts. All of it
may be called from several threads at once.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError


@dataclass(frozen=True)
class Extent:
    """Bytes [start, start + nbytes) of a file."""

    file: Path
    start: int
    nbytes: int


class OpenFiles:
    """Descriptors of a checkpoint's files, from construction until `close`.

    A file that is replaced or deleted meanwhile is still read as it was; one that is
    written to or cut short, or whose disk goes away, raises.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        """Raises `CheckpointError` when a file cannot be opened."""
        self._descriptors: dict[Path, int] = {}
        self._states: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._reading, self._since = 0, 0.0
        self._seconds, self._bytes = 0.0, 0
        weakref.finalize(self, _close, self._descriptors)
        try:
            for file in set(files):
                self._descriptors[file] = os.open(file, os.O_RDONLY)
                self._states[file] = _state(self._descriptors[file])
        except OSError as error:
            self.close()
            raise _unreadable(error.filename, error) from error

    def close(self) -> None:
        """Give the descriptors back; reading is over."""
        _close(self._descriptors)

    @property
    def read_so_far(self) -> tuple[int, float]:
        """Bytes, and the seconds in which at least one read was going on."""
        with self._lock:
            return self._bytes, self._seconds

    def read(self, extent: Extent, into: memoryview) -> None:
        """Fill `into`, plain bytes of the extent's length.

        Raises `CheckpointError` unless all of them came; `into` is then undefined.
        """
        self._begin()
        done = 0
        try:
            descriptor = self._descriptors[extent.file]
            while done < extent.nbytes:
                place = extent.start + done
                got = os.preadv(descriptor, [into[done:]], place)
                if got == 0:
                    raise CheckpointError(
                        f"{extent.file} ends at byte {place:,}, where weights of an "
                        f"expert go on to {extent.start + extent.nbytes:,}: it was cut "
                        "short after it was opened; fetch or convert it again and load "
                        "anew"
                    )
                done += got
            if _state(descriptor) != self._states[extent.file]:
                raise CheckpointError(
                    f"{extent.file} was changed after it was opened; fetch or convert "
                    "it again and load anew"
                )
        except OSError as error:
            raise _unreadable(extent.file, error) from error
        finally:
            self._end(done)

    def _begin(self) -> None:
        with self._lock:
            if self._reading == 0:
                self._since = time.perf_counter()
            self._reading += 1

    def _end(self, nbytes: int) -> None:
        with self._lock:
            self._reading -= 1
            self._bytes += nbytes
            if self._reading == 0:
                self._seconds += time.perf_counter() - self._since


def _state(descriptor: int) -> tuple[int, int]:
    """What changes when a file is written to: its size and the time of that."""
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns


def _close(descriptors: dict[Path, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])


def _unreadable(file: object, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{file} cannot be read ({error.strerror}), and experts are read from it while "
        "the model works; check that its disk is connected and load anew"
    )
