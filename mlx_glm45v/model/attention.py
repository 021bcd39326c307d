"""Attention whose scores never take more than a bounded piece of memory.

Metal's fused kernel never writes its scores down. Where there is none (the CPU backend,
a quantised cache, an unusual head size) they are (B, heads, L, T) numbers: queries are
then taken in blocks, one after the other.
"""

from __future__ import annotations

import mlx.core as mx
from mlx_lm.models.base import scaled_dot_product_attention

SCORES_BYTES = 256 * 2**20
# MLX runs this many operations ahead of the CPU, each with its memory already taken.
_OPERATIONS_AHEAD = 10
_FUSED_HEAD_DIMS = (64, 80, 128)

Keys = (
    mx.array | tuple[mx.array, ...]
)  # a quantised cache gives (packed, scales, biases)


def attend(
    queries: mx.array,
    keys: Keys,
    values: Keys,
    *,
    scale: float,
    mask: mx.array | str | None = None,
    cache: object | None = None,
) -> mx.array:
    """`softmax(queries keys^T * scale) values`, (B, heads, L, D).

    `keys` and `values` are (B, kv_heads, T, D) or what a quantised `cache` returned.
    `mask` is None, "causal" (the last query sees the last key) or booleans that
    broadcast to (B, heads, L, T), true where a query sees a key.
    """
    length, total = queries.shape[2], _length(keys)
    rows = _rows_at_once(queries, total, cache)
    if rows >= length:
        return scaled_dot_product_attention(
            queries, keys, values, cache=cache, scale=scale, mask=mask
        )
    blocks: list[mx.array] = []
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        block = queries[:, :, start:stop]
        if blocks:
            (block,) = mx.depends([block], [blocks[-1]])
        seen = total - length + stop if mask == "causal" else total
        blocks.append(
            scaled_dot_product_attention(
                block,
                _first(keys, seen),
                _first(values, seen),
                cache=cache,
                scale=scale,
                mask=_rows_of(mask, start, stop),
            )
        )
    return mx.concatenate(blocks, axis=2)


def attention_weights(
    queries: mx.array, keys: mx.array, *, scale: float, mask: mx.array | str | None
) -> mx.array:
    """The softmax itself, (B, heads, L, T), for `output_attentions`."""
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


def _rows_at_once(queries: mx.array, total: int, cache: object | None) -> int:
    batch, heads, length, dim = queries.shape
    fused = mx.default_device().type == mx.DeviceType.gpu and dim in _FUSED_HEAD_DIMS
    if fused and not hasattr(cache, "bits"):
        return length
    row = batch * heads * total * 4
    return max(1, SCORES_BYTES // _OPERATIONS_AHEAD // row)


def _length(keys: Keys) -> int:
    return (keys if isinstance(keys, mx.array) else keys[0]).shape[-2]


def _first(keys: Keys, count: int) -> Keys:
    if isinstance(keys, mx.array):
        return keys[..., :count, :]
    return tuple(part[..., :count, :] for part in keys)


def _rows_of(
    mask: mx.array | str | None, start: int, stop: int
) -> mx.array | str | None:
    if not isinstance(mask, mx.array) or mask.shape[-2] == 1:
        return mask
    return mask[..., start:stop, :]
