"""Blocks of a span in the form they are written: copied, cast or quantised.

Decides between copying and computing; `reader` reads, `quantise` packs. Knows no places
in files.
"""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import numpy as np

from ..errors import CheckpointError
from ..model.weights import keeps_float32
from .plan import DTYPES, Parameter, Plan
from .quantise import all_finite, quantise_rows
from .reader import Reader
from .stored import Packed, Plain, Span

Blocks = Iterator[tuple[int, tuple[memoryview, ...]]]


def encoded_blocks(
    plan: Plan, parameter: Parameter, span: Span, reader: Reader, *, numbers: int
) -> Blocks:
    """(first row within the span, bytes for each slot of the parameter), by block.

    At most `numbers` numbers a block. Raises `CheckpointError` for a number that the
    output's form cannot hold.
    """
    if _is_copy(plan, parameter, span):
        for start, arrays in reader.copies(span, numbers=numbers):
            yield start, tuple(array.data for array in arrays)
        return
    dtype = mx.float32 if keeps_float32(parameter.key) else DTYPES[plan.dtype]
    for start, rows in reader.blocks(span, numbers=numbers):
        if parameter.scheme is None:
            arrays = (_cast(rows, dtype, span),)
        else:
            try:
                arrays = quantise_rows(
                    rows, parameter.scheme, search=plan.search, dtype=dtype
                )
            except ValueError as error:
                raise _unfit(span, str(error)) from error
        yield start, tuple(map(_bytes_of, arrays))
        # Buffers that MLX keeps for reuse count as the process's memory.
        del rows, arrays
        mx.clear_cache()


def _is_copy(plan: Plan, parameter: Parameter, span: Span) -> bool:
    """Whether the stored arrays are the output's, byte for byte."""
    stored = span.stored
    kinds = [info.dtype for info in stored.infos]
    if kinds != [slot.array.dtype for slot in parameter.slots]:
        return False
    if isinstance(stored, Packed):
        return stored.scheme == parameter.scheme and not plan.search
    return isinstance(stored, Plain) and stored.axes is None


def _cast(rows: mx.array, dtype: mx.Dtype, span: Span) -> mx.array:
    cast = rows.astype(dtype)
    if not all_finite(cast):
        wrong = mx.sum(~mx.isfinite(cast)).item()
        raise _unfit(span, f"{wrong} numbers are not finite as {dtype}")
    return cast


def _unfit(span: Span, what: str) -> CheckpointError:
    return CheckpointError(
        f"{span.stored.data.file}: {span.name}: {what}; the file is damaged, or needs "
        "a --dtype with a wider range"
    )


def _bytes_of(array: mx.array) -> memoryview:
    array = mx.contiguous(array)
    if array.dtype == mx.bfloat16:  # numpy has none
        array = array.view(mx.uint16)
    return np.array(array, copy=False).data.cast("B")
