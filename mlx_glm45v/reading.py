"""Stored tensors become parameters: stacked, cut in halves, transposed, cast.

Knows arrays and the order of reading that keeps memory near the model's size. Does not
know modules or configs; what belongs where was decided by `matching`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx

from .errors import Cancelled, CheckpointError
from .matching import Match, Source
from .model.weights import keeps_float32, layer_of
from .progress import Progress, ProgressCallback, ShouldStop

# Buffers that MLX keeps for reuse count as the process's memory.
_SPARE_BYTES = 256 * 2**20


def read_weights(
    matched: Match,
    *,
    dtype: mx.Dtype,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> dict[str, mx.array]:
    """Read every parameter; floats become `dtype`, the router's float32.

    Stored tensors are lazy until their parameter is evaluated and are given back right
    after, so that at most one parameter's sources exist beside the model. Raises
    `Cancelled`.
    """
    stored = _open(matched)
    uses = Counter(s.name for sources in matched.sources.values() for s in sources)
    shares = dict(uses)
    total = sum(_nbytes(sources, shares) for sources in matched.sources.values())
    done = 0
    weights: dict[str, mx.array] = {}
    for key in sorted(matched.sources, key=_reading_order):
        if should_stop is not None and should_stop():
            raise Cancelled(f"loading was stopped after {done} of {total} bytes")
        sources = matched.sources[key]
        weight = _assemble(sources, stored)
        if mx.issubdtype(weight.dtype, mx.floating):
            weight = weight.astype(mx.float32 if keeps_float32(key) else dtype)
        mx.eval(weight)
        weights[key] = weight
        for source in sources:
            uses[source.name] -= 1
            if not uses[source.name]:
                del stored[source.name]
        give_back_spare_buffers()
        done += _nbytes(sources, shares)
        if progress is not None:
            progress(Progress("load", done, total, key))
    return weights


def give_back_spare_buffers() -> None:
    """Few may wait to be filled again, which is faster than new memory."""
    if mx.get_cache_memory() > _SPARE_BYTES:
        mx.clear_cache()


def _open(matched: Match) -> dict[str, mx.array]:
    """All stored tensors by name, none of them read yet."""
    needed = {s.name: s.info for sources in matched.sources.values() for s in sources}
    stored: dict[str, mx.array] = {}
    for file in sorted({info.file for info in needed.values()}):
        stored.update(_load_lazily(file))
    return {name: stored[name] for name in needed}


def _load_lazily(file: Path) -> dict[str, mx.array]:
    try:
        arrays = mx.load(str(file))
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(arrays, dict):
        raise CheckpointError(f"{file} holds no named tensors")
    return arrays


def _assemble(sources: tuple[Source, ...], stored: Mapping[str, mx.array]) -> mx.array:
    parts = [_part(stored[source.name], source) for source in sources]
    return parts[0] if sources[0].target.expert is None else mx.stack(parts)


def _part(array: mx.array, source: Source) -> mx.array:
    target = source.target
    if target.half is not None:
        array = mx.split(array, 2, axis=1)[target.half]
    if target.axes is not None:
        array = array.transpose(target.axes)
    # A view would keep the whole tensor alive, and matmuls would copy it at every call.
    return mx.contiguous(array) if target.half is not None or target.axes else array


def _nbytes(sources: tuple[Source, ...], shares: Mapping[str, int]) -> int:
    return sum(source.info.nbytes // shares[source.name] for source in sources)


def _reading_order(key: str) -> tuple[int, str]:
    layer = layer_of(key)
    return (-1 if layer is None else layer, key)
