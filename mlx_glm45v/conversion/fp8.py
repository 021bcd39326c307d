"""The 256 values of an eight-bit float, and how scales spread over blocks.

Knows the E4M3 format. Does not know files, names or arrays of mlx.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EXPONENT_BIAS = 7
_MANTISSA_BITS = 3
_MAGNITUDE = 0x7F
_NAN = 0x7F  # with either sign; the format has no infinities


def _value(code: int) -> float:
    sign = -1.0 if code > _MAGNITUDE else 1.0
    magnitude = code & _MAGNITUDE
    exponent, mantissa = magnitude >> _MANTISSA_BITS, magnitude & 0b111
    if magnitude == _NAN:
        return float("nan")
    if exponent == 0:  # subnormal: no leading one
        return sign * mantissa * 2.0 ** (1 - _EXPONENT_BIAS - _MANTISSA_BITS)
    return sign * (8 + mantissa) * 2.0 ** (exponent - _EXPONENT_BIAS - _MANTISSA_BITS)


# `E4M3[codes]` are the exact float32 values of uint8 codes; both NaN codes give NaN.
# E4M3 of "FP8 Formats for Deep Learning" (arXiv 2209.05433), torch's float8_e4m3fn.
E4M3 = np.array([_value(code) for code in range(256)], np.float32)


def has_nan(codes: NDArray[np.uint8]) -> bool:
    """Whether any code stands for no number: the largest one of either sign."""
    return bool(codes.view(np.int8).max() == _NAN or codes.max() == _NAN | 0x80)


def is_nan(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which codes stand for no number."""
    return (codes & _MAGNITUDE) == _NAN


def spread_blocks(
    scales: NDArray[np.float32],
    *,
    first_row: int,
    shape: tuple[int, int],
    block: tuple[int, int],
) -> NDArray[np.float32]:
    """The scale of every value of `shape` (rows, columns), from `first_row` on.

    `scales` has one value for each `block` of rows and columns; the last blocks may
    stick out.
    """
    rows, columns = shape
    height, width = block
    by_row = scales[np.arange(first_row, first_row + rows) // height]
    return np.repeat(by_row, width, axis=1)[:, :columns]
