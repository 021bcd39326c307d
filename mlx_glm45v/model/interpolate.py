"""Bicubic sampling of the learned position table.

The reference calls `torch.nn.functional.grid_sample(mode="bicubic",
padding_mode="border", align_corners=False)` in float32. Sampling is separable, so a row
matrix and a column matrix do it.
"""

from __future__ import annotations

import mlx.core as mx

A = -0.75  # the free parameter of Keys' cubic convolution, as torch chose it


def bicubic_matrix(count: int, side: int) -> mx.array:
    """Weights (count, side) that sample `side` values at `count` evenly spread places.

    Half-pixel centres; a tap beyond the border reads the border. Each row sums to 1.
    Source: Keys, "Cubic convolution interpolation", 1981.
    """
    at = (mx.arange(count, dtype=mx.float32) + 0.5) * (side / count) - 0.5
    taps = mx.floor(at)[:, None] + mx.arange(-1, 3, dtype=mx.float32)
    d = mx.abs(at[:, None] - taps)
    near = ((A + 2) * d - (A + 3)) * d * d + 1
    far = ((A * d - 5 * A) * d + 8 * A) * d - 4 * A
    weights = mx.where(d <= 1, near, far)
    columns = mx.clip(taps, 0, side - 1).astype(mx.int32)
    chosen = columns[..., None] == mx.arange(side)
    return mx.where(chosen, weights[..., None], 0).sum(axis=1)


def sample_positions(table: mx.array, height: int, width: int) -> mx.array:
    """The table (side * side, C) sampled to (height, width, C) in float32."""
    side = round(table.shape[0] ** 0.5)
    grid = table.astype(mx.float32).reshape(side, -1)
    rows = (bicubic_matrix(height, side) @ grid).reshape(height, side, -1)
    return bicubic_matrix(width, side) @ rows
