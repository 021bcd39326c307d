"""Rows of a weight and a scheme -> the arrays that MLX keeps of them.

Knows MLX's packed formats. Groups are quantised independently, so that blocks of rows
give the bits of the whole tensor. Knows no files, no keys and no recipes.

nvfp4 is written without a scale for the whole tensor, as in the published files. mlx-lm
0.32.2 would read one, for expert layers only; mlx-vlm 0.7.10 and this library's loader
read none. A group's own scale cannot go below 2**-9 then: numbers under 0.002 get
coarse, groups under 0.005 become zero.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np

from ..parameters.recipes import Scheme
from .search import search_rows

Suffix = str
Shape = tuple[int, ...]

# e4m3's largest scale times e2m1's largest number: MLX cuts off beyond it.
_NVFP4_LARGEST = 448.0 * 6.0
# A float is infinite or not a number where all bits of its exponent are set: its bits
# as an integer of either sign are then at least these.
_BITS: dict[mx.Dtype, tuple[mx.Dtype, type[np.signedinteger[Any]], int]] = {
    mx.bfloat16: (mx.uint16, np.int16, 0x7F80),
    mx.float16: (mx.uint16, np.int16, 0x7C00),
    mx.float32: (mx.uint32, np.int32, 0x7F800000),
}


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
    scales = dtype if scheme.mode == "affine" else mx.uint8
    arrays = dict.fromkeys(suffixes_of(scheme), (groups, scales))
    arrays["weight"] = ((*rows, columns * scheme.bits // 32), mx.uint32)
    return arrays


def quantise_rows(
    rows: mx.array,
    scheme: Scheme,
    *,
    search: bool = False,
    dtype: mx.Dtype = mx.bfloat16,
) -> tuple[mx.array, ...]:
    """Rows (n, columns) of any float dtype, quantised; in the order of `suffixes_of`.

    Without `search` the result is `mx.quantize` of the rows in `dtype`, bit by bit.
    With it affine rows get the scales and biases of `search_rows`; the other modes have
    none to look for and come out plain. The arrays are evaluated. Raises ValueError
    that names what the rows hold and the format cannot: numbers not finite in `dtype`,
    or too large a range.
    """
    if rows.ndim != 2:
        raise ValueError(f"rows have shape {rows.shape}, wanted (n, columns)")
    stored = rows.astype(dtype)
    _check(stored, scheme)
    if search and scheme.mode == "affine":
        arrays = search_rows(
            rows, bits=scheme.bits, group_size=scheme.group_size, dtype=dtype
        )
    else:
        arrays = mx.quantize(
            stored, group_size=scheme.group_size, bits=scheme.bits, mode=scheme.mode
        )
        mx.eval(*arrays)
    if scheme.mode == "affine" and not all_finite(arrays[1]):
        raise ValueError(f"a group with a range that {_name(dtype)} cannot hold")
    return tuple(arrays)


def all_finite(numbers: mx.array) -> bool:
    """Whether all numbers of a float array are finite; evaluates it.

    Two integer maxima: a tenth of the time that MLX's CPU backend takes.
    """
    unsigned, signed, exponent = _BITS[numbers.dtype]
    bits = np.array(numbers.view(unsigned), copy=False)
    sign = 1 << (bits.itemsize * 8 - 1)
    return bool(bits.view(signed).max() < exponent and bits.max() < sign | exponent)


def _check(stored: mx.array, scheme: Scheme) -> None:
    if stored.shape[-1] % scheme.columns_together:
        raise ValueError(
            f"{stored.shape[-1]} columns are no multiple of the "
            f"{scheme.columns_together} that {scheme.mode} packs together"
        )
    if not all_finite(stored):
        wrong = (~mx.isfinite(stored)).sum().item()
        raise ValueError(
            f"{wrong} numbers of {stored.size} that are not finite in "
            f"{_name(stored.dtype)}"
        )
    if scheme.mode == "nvfp4":
        largest = mx.max(mx.abs(stored))
        if (largest > _NVFP4_LARGEST).item():
            raise ValueError(
                f"numbers up to {largest.item():g}, nvfp4 ends at {_NVFP4_LARGEST:g}"
            )


def _name(dtype: mx.Dtype) -> str:
    return str(dtype).rpartition(".")[2]
