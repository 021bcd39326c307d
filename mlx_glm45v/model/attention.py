"""Attention whose scores never take more than a bounded piece of memory.

Metal's fused kernel never writes its scores down. Where there is none (the CPU backend,
a quantised cache, an unusual head size) they are (B, heads, L, T) numbers: queries are
then taken in blocks, one after the other.
"""

from __future__ import annotations

from typing import cast

import mlx.core as mx
from mlx_lm.models.base import scaled_dot_product_attention

from .kernels import on_gpu

SCORES_BYTES = 256 * 2**20
# MLX runs this many operations ahead of the CPU, each with its memory already taken.
_OPERATIONS_AHEAD = 10
_FUSED_HEAD_DIMS = (64, 80, 128)

Mask = mx.array | str | None
# A quantised cache gives (packed, scales, biases).
Keys = mx.array | tuple[mx.array, ...]


def attend(
    queries: mx.array,
    keys: Keys,
    values: Keys,
    *,
    scale: float,
    mask: Mask = None,
    cache: object | None = None,
    scores_bytes: int = SCORES_BYTES,
) -> mx.array:
    """`softmax(queries keys^T * scale) values`, (B, heads, L, D).

    `keys` and `values` are (B, kv_heads, T, D) or what a quantised `cache` returned.
    `mask` is None, "causal" (the last query sees the last key) or booleans that
    broadcast to (B, heads, L, T), true where a query sees a key.
    """
    length = queries.shape[2]
    if length == 1 or _is_fused(queries, cache):
        return _whole(queries, keys, values, scale, mask, cache)
    total = _length(keys)
    one_row = queries.shape[0] * queries.shape[1] * total * 4
    rows = max(1, scores_bytes // _OPERATIONS_AHEAD // one_row)
    if rows >= length:
        return _whole(queries, keys, values, scale, mask, cache)
    blocks: list[mx.array] = []
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        block = queries[:, :, start:stop]
        if blocks:
            (block,) = mx.depends([block], [blocks[-1]])
        seen = total - length + stop if mask == "causal" else total
        blocks.append(
            _whole(
                block,
                _first(keys, seen),
                _first(values, seen),
                scale,
                _rows_of(mask, start, stop),
                cache,
            )
        )
    return mx.concatenate(blocks, axis=2)


def _whole(
    queries: mx.array,
    keys: Keys,
    values: Keys,
    scale: float,
    mask: Mask,
    cache: object | None,
) -> mx.array:
    return scaled_dot_product_attention(
        queries,
        keys,
        values,
        cache=cache,
        scale=scale,
        mask=cast("mx.array | None", mask),  # "causal" is not in its annotation
    )


def attention_weights(
    queries: mx.array, keys: Keys, *, scale: float, mask: Mask
) -> mx.array:
    """The softmax itself, (B, heads, L, T), for `output_attentions`.

    Raises ValueError with a quantised cache.
    """
    if not isinstance(keys, mx.array):
        raise ValueError("output_attentions needs a cache that is not quantised")
    batch, heads, length, dim = queries.shape
    grouped = queries.reshape(batch, keys.shape[1], -1, length, dim)
    scores = (grouped * scale) @ keys[:, :, None].swapaxes(-1, -2)
    scores = scores.reshape(batch, heads, length, -1)
    if isinstance(mask, str):
        columns = mx.arange(scores.shape[-1])
        mask = columns[-length:, None] >= columns
    if mask is not None:
        scores = mx.where(mask, scores, mx.finfo(scores.dtype).min)
    return mx.softmax(scores, axis=-1, precise=True)


def _is_fused(queries: mx.array, cache: object | None) -> bool:
    quantised = hasattr(cache, "bits")  # mlx-lm's own test
    return on_gpu() and queries.shape[-1] in _FUSED_HEAD_DIMS and not quantised


def _length(keys: Keys) -> int:
    return (keys if isinstance(keys, mx.array) else keys[0]).shape[-2]


def _first(keys: Keys, count: int) -> Keys:
    if _length(keys) == count:
        return keys
    if isinstance(keys, mx.array):
        return keys[..., :count, :]
    return tuple(part[..., :count, :] for part in keys)


def _rows_of(mask: Mask, start: int, stop: int) -> Mask:
    if not isinstance(mask, mx.array) or mask.shape[-2] == 1:
        return mask
    return mask[..., start:stop, :]
