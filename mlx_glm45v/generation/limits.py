"""Metal's two limits while a model works: what stays resident, and what may lie spare.

Knows Metal's recommendation and arithmetic on a config. Does nothing where there is no
Metal.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx

from mlx_glm45v.config import Glm4vMoeTextConfig

# For pictures, activations and whatever else is short-lived.
_ROOM = 2 * 2**30
# Freed buffers that wait to be used again: too few of them slow every step.
_LEAST_SPARE = 128 * 2**20
_MEMINFO = Path("/proc/meminfo")


def kv_bytes(config: Glm4vMoeTextConfig, *, tokens: int) -> int:
    """Keys and values of `tokens` in 16 bits."""
    per_token = 4 * config.num_hidden_layers * config.num_key_value_heads
    return per_token * config.size_of_head * tokens


def missing_bytes(config: Glm4vMoeTextConfig, *, tokens: int) -> int:
    """What work that adds `tokens` to a cache lacks; 0 or less where it has room."""
    return kv_bytes(config, tokens=tokens) + _ROOM - free_bytes()


def free_bytes() -> int:
    """What a process may still take: of Metal's recommendation, else of the memory."""
    if mx.metal.is_available():
        recommended = int(mx.device_info()["max_recommended_working_set_size"])
        return max(0, recommended - mx.get_active_memory())
    if not _MEMINFO.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    rows = dict(row.split(":") for row in _MEMINFO.read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) * 1024


class _MetalLimits:
    """Metal's two limits, which are the process's, and the works that hold them.

    What was there before the first work is restored after the last, in whatever order
    they end; who comes sets what all at work may come to need: what is active now and
    all that each may add, so that what the others have added already counts twice. An
    iterator that nobody reads ends whenever it is collected, in the middle of this too:
    the lock is reentrant, and each step finds what the one before left.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._added: dict[object, int] = {}  # at most, by each work
        self._before: tuple[int, int] | None = None  # wired, cache

    def take(self, work: object, nbytes: int) -> None:
        with self._lock:
            self._added[work] = nbytes
            needed = mx.get_active_memory() + sum(self._added.values()) + _ROOM
            recommended = int(mx.device_info()["max_recommended_working_set_size"])
            spare = min(_ROOM, max(_LEAST_SPARE, recommended - needed))
            cache = mx.set_cache_limit(spare)
            try:
                wired = mx.set_wired_limit(min(needed, recommended))
            except BaseException:
                mx.set_cache_limit(cache)
                raise
            if self._before is None:
                self._before = wired, cache

    def give_back(self, work: object) -> None:
        with self._lock:
            self._added.pop(work, None)
            if self._added or self._before is None:
                return
            try:
                # What is still running may need what the old limit would let go.
                mx.synchronize()
            finally:
                (wired, cache), self._before = self._before, None
                mx.set_cache_limit(cache)
                mx.set_wired_limit(wired)


_METAL_LIMITS = _MetalLimits()


@contextmanager
def working_limits(nbytes: int) -> Iterator[None]:
    """Keeps what is active (the model above all), `nbytes` more and room resident.

    Never more than Metal recommends: models beyond it run slowly, and machines wired
    beyond it freeze. What is left of it bounds the spare buffers, which MLX would
    otherwise let grow to the size of the machine. The limits before are restored after.
    Works may overlap, in any order and in several threads.
    """
    if not mx.metal.is_available():
        yield
        return
    work = object()
    try:
        _METAL_LIMITS.take(work, nbytes)
        yield
    finally:
        _METAL_LIMITS.give_back(work)
