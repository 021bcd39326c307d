"""Peak memory of one evaluation on the CPU backend."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

MIB = 2**20


def peak_of(make: Callable[[], mx.array]) -> int:
    """Bytes taken above what was in use, at most, while the result is evaluated."""
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    mx.eval(make())
    mx.synchronize()
    return mx.get_peak_memory() - before
