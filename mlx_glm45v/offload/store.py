"""All experts that are read when they are chosen: their files, threads and counts.

One owner for what layers share. Keeps slots from being overwritten while something that
reads them is still to be computed: every layer's result is started at once, and the
next layer waits for it before it brings experts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx

from ..model.traffic import ExpertTraffic
from .files import OpenFiles
from .profile import ExpertProfile

# Enough to keep an SSD's queue filled; more only wait for each other.
_READERS = 4


class ExpertStore:
    """Lives as long as the model, as its `ExpertSource`.

    `profile` counts what is chosen; `resident` and `prefill_tokens` are the plan's.
    """

    def __init__(
        self,
        files: OpenFiles,
        profile: ExpertProfile,
        *,
        resident: float,
        prefill_tokens: int,
    ) -> None:
        self.files = files
        self.profile = profile
        self.resident = resident
        self.prefill_tokens = prefill_tokens
        self.executor = ThreadPoolExecutor(_READERS, thread_name_prefix="experts")
        self._lock = threading.Lock()
        self._newest: mx.array | None = None
        self._chosen = self._read = 0

    def close(self) -> None:
        """Wait for reads under way and close the files; the model is of no more use."""
        with self._lock:
            self.executor.shutdown()
            self.files.close()

    @property
    def traffic(self) -> ExpertTraffic:
        nbytes, seconds = self.files.read_so_far
        return ExpertTraffic(self._chosen, self._read, nbytes, seconds)

    def save_profile(self, path: Path) -> None:
        """Write what was chosen so far. Raises OSError."""
        with self._lock:
            self.profile.save(path)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Banks are changed by one thread at a time."""
        with self._lock:
            yield

    def catch_up(self, indices: mx.array) -> None:
        """Evaluate them, and wait for the newest result: no slot is being read then."""
        mx.eval(indices if self._newest is None else [indices, self._newest])
        self._newest = None

    def leave(self, out: mx.array) -> None:
        """`out` reads slots; it is started now, so that any thread can wait for it."""
        mx.async_eval(out)
        self._newest = out

    def count(self, *, chosen: int, read: int) -> None:
        """Add to the traffic; see `ExpertTraffic`."""
        self._chosen += chosen
        self._read += read
