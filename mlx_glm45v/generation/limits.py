"""Metal's two limits while a model works: what stays resident, and what may lie spare.

Knows Metal's recommendation and arithmetic on a config. Does nothing where there is no
Metal.
"""

from __future__ import annotations

import os
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


def request_bytes(config: Glm4vMoeTextConfig, *, tokens: int) -> int:
    """What is active now (the model above all), `tokens` of 16-bit cache, and room."""
    return mx.get_active_memory() + kv_bytes(config, tokens=tokens) + _ROOM


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


@contextmanager
def working_limits(nbytes: int) -> Iterator[None]:
    """Keeps up to `nbytes` resident within it; the limits before are restored after.

    Never more than Metal recommends: models beyond it run slowly, and machines wired
    beyond it freeze. What `nbytes` leaves of it bounds the spare buffers, which MLX
    would otherwise let grow to the size of the machine.
    """
    if not mx.metal.is_available():
        yield
        return
    recommended = int(mx.device_info()["max_recommended_working_set_size"])
    spare = min(_ROOM, max(_LEAST_SPARE, recommended - nbytes))
    cache_before = mx.set_cache_limit(spare)
    wired_before = mx.set_wired_limit(min(nbytes, recommended))
    try:
        yield
    finally:
        # Work that is still running may need what the old limit would let go.
        mx.synchronize()
        mx.set_wired_limit(wired_before)
        mx.set_cache_limit(cache_before)
