"""Rows of a weight and a scheme -> the arrays that MLX keeps of them.

Knows MLX's packed formats. Rows are quantised independently, so that blocks of rows
give the bits of the whole tensor. Knows no files, no keys and no recipes.

nvfp4 is written without a scale for the whole tensor, as in the published files: mlx-lm
reads one for expert layers only, mlx-vlm none at all.
"""

from __future__ import annotations

import mlx.core as mx

from .recipes import Scheme

Suffix = str
Shape = tuple[int, ...]


def suffixes_of(scheme: Scheme) -> tuple[Suffix, ...]:
    """Names of the arrays of a quantised module, in the order they come in."""
    if scheme.mode == "affine":
        return ("weight", "scales", "biases")
    return ("weight", "scales")


def packed_shapes(
    shape: Shape, scheme: Scheme, *, dtype: mx.Dtype = mx.bfloat16
) -> dict[Suffix, tuple[Shape, mx.Dtype]]:
    """Shape and dtype of each array that a weight (..., columns) becomes.

    `dtype` is that of scales and biases in affine mode. Raises ValueError where the
    columns are no multiple of the group size.
    """
    *rows, columns = shape
    if columns % scheme.group_size:
        raise ValueError(
            f"{columns} columns are no multiple of the group size {scheme.group_size}"
        )
    groups = (*rows, columns // scheme.group_size)
    packed = (*rows, columns * scheme.bits // 32)
    scales = dtype if scheme.mode == "affine" else mx.uint8
    kept: dict[Suffix, tuple[Shape, mx.Dtype]] = dict.fromkeys(
        suffixes_of(scheme), (groups, scales)
    )
    kept["weight"] = (packed, mx.uint32)
    return kept


def quantise_rows(
    rows: mx.array,
    scheme: Scheme,
    *,
    search: bool = False,
    dtype: mx.Dtype = mx.bfloat16,
) -> tuple[mx.array, ...]:
    """Rows (n, columns) quantised, in the order of `suffixes_of`; evaluated.

    Without `search` the result is `mx.quantize` of the rows in `dtype`, bit by bit.
    With it affine rows get the scales and biases of `search.py`; other modes have
    nothing to search for. Raises ValueError for rows that are not finite in `dtype`.
    """
    stored = rows.astype(dtype)
    arrays = mx.quantize(
        stored, group_size=scheme.group_size, bits=scheme.bits, mode=scheme.mode
    )
    mx.eval(*arrays)
    return tuple(arrays)
