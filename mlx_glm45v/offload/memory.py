"""One stacked array of a bank, and how an expert's bytes get into one of its slots.

Bytes go from the file into the array's own memory where that can be written and the
file holds the array's dtype. Otherwise they are staged: read aside, cast by MLX as
loading casts, then copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from .files import Extent, OpenFiles

# Stored dtypes by the integers of their width, and what the bits mean.
_STORED = {
    "U32": (np.uint32, mx.uint32),
    "U8": (np.uint8, mx.uint8),
    "F32": (np.uint32, mx.float32),
    "F16": (np.uint16, mx.float16),
    "BF16": (np.uint16, mx.bfloat16),
}


class SlotRows:
    """Rows [first, first + rows) of every slot of `array` (slots, rows, ...).

    `extents` are each expert's bytes in the files, in `stored` dtype.
    """

    def __init__(
        self,
        array: mx.array,
        *,
        first: int,
        rows: int,
        extents: Sequence[Extent],
        stored: str,
    ) -> None:
        self._array = array
        self._first, self._rows = first, rows
        self._extents = extents
        integers, self._stored = _STORED[stored]
        self._integers = np.dtype(integers)
        self._row_bytes = array.nbytes // (array.shape[0] * array.shape[1])
        self._memory = _writable(array)

    @property
    def nbytes(self) -> int:
        """What the files hold of one expert."""
        return self._extents[0].nbytes

    def read(self, files: OpenFiles, expert: int, slot: int) -> bytearray | None:
        """Read an expert in any thread. What comes back has to be given to `settle`.

        Raises `CheckpointError`; the slot's rows are then undefined.
        """
        extent = self._extents[expert]
        if self._memory is not None and self._stored == self._array.dtype:
            files.read(extent, self._memory[self._place(slot)])
            return None
        aside = bytearray(extent.nbytes)
        files.read(extent, memoryview(aside))
        return aside

    def settle(self, aside: bytearray | None, slot: int) -> None:
        """Cast and copy what was read aside, in the thread that computes."""
        if aside is None:
            return
        shape = (self._rows, *self._array.shape[2:])
        values = mx.array(np.frombuffer(aside, self._integers)).view(self._stored)
        values = values.reshape(shape).astype(self._array.dtype)
        if self._memory is None:
            self._array[slot, self._first : self._first + self._rows] = values
            mx.eval(self._array)
        else:
            mx.eval(values)
            self._memory[self._place(slot)] = _bytes_of(values)

    def _place(self, slot: int) -> slice:
        start = (slot * self._array.shape[1] + self._first) * self._row_bytes
        return slice(start, start + self._rows * self._row_bytes)


def _writable(array: mx.array) -> memoryview | None:
    """The evaluated array's own bytes, if they may be written."""
    memory = _bytes_of(array)
    return None if memory.readonly else memory


def _bytes_of(array: mx.array) -> memoryview:
    # mlx's arrays have a buffer that their type stubs do not tell of.
    return memoryview(array).cast("B")  # pyright: ignore[reportArgumentType]
