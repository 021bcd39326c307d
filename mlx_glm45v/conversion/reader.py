"""Rows of a source as floats, read in blocks.

Knows files, offsets and the stored forms; opens each file once and reads with `pread`,
so that memory never holds more than one block. Does not know what becomes of the rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..safetensors_header import TensorInfo
from .fp8 import E4M3, has_nan, is_nan, spread_blocks
from .stored import Packed, Plain, ScaledBlocks, ScaledRows, Span

# Numbers in a block: 16 MB as float32, the widest form that they take.
BLOCK_NUMBERS = 4_000_000
_GO_ON = "then start the conversion again: it goes on where it stopped"


class Reader(AbstractContextManager["Reader"]):
    """Open source files; `bytes_read` counts what was read of them."""

    def __init__(self) -> None:
        self.bytes_read = 0
        # Kept, for fresh pages cost as much as reading into them.
        self._buffer = np.empty(0, np.uint8)
        self._descriptors: dict[Path, int] = {}

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give all files back."""
        for file in list(self._descriptors):
            self.forget(file)

    def forget(self, file: Path) -> None:
        """Give one file back, so that it may be deleted."""
        descriptor = self._descriptors.pop(file, None)
        if descriptor is not None:
            os.close(descriptor)

    def blocks(
        self, span: Span, *, numbers: int = BLOCK_NUMBERS
    ) -> Iterator[tuple[int, mx.array]]:
        """(first row within the span, rows (n, columns)) until all are read.

        Plain floats keep their dtype, what has scales comes as float32.
        A block has at most `numbers` numbers, or one row. Raises `CheckpointError`
        when a file is gone or shorter than its header says, and for FP8 codes that
        stand for no number.
        """
        step = max(1, numbers // span.columns)
        if isinstance(span.stored, ScaledBlocks) and step > span.stored.block[0]:
            step -= step % span.stored.block[0]  # reads no scales twice
        for start in range(0, span.rows, step):
            count = min(step, span.rows - start)
            yield start, self._rows(span, span.source_row + start, count)

    def copies(
        self, span: Span, *, numbers: int = BLOCK_NUMBERS
    ) -> Iterator[tuple[int, tuple[NDArray[np.uint8], ...]]]:
        """(first row within the span, the stored bytes of its arrays) as they lie."""
        step = max(1, numbers // span.columns)
        for start in range(0, span.rows, step):
            count = min(step, span.rows - start)
            yield (
                start,
                tuple(
                    self._bytes(info, span.source_row + start, count, span.source_rows)
                    for info in span.stored.infos
                ),
            )

    def _rows(self, span: Span, first: int, count: int) -> mx.array:
        """`count` rows of the source from its row `first` on."""
        shape, total = (count, span.columns), span.source_rows
        match span.stored:
            case Plain(data, None):
                return self._floats(data, first, count, total).reshape(shape)
            case Plain(data, axes):
                rows = self._floats(data, first, count, total)
                stored = rows.reshape(count, *data.shape[1:])
                return stored.transpose(axes).reshape(shape)
            case ScaledRows(data, scales):
                by_row = self._floats(scales, first, count, total)
                values = self._e4m3(span.name, data, first, shape, total)
                values *= np.array(by_row.astype(mx.float32))[:, None]
                return mx.array(values)
            case ScaledBlocks(data, scales, (height, width)):
                top, bottom = first // height, -(-(first + count) // height)
                tall, wide = scales.shape
                by_block = self._floats(scales, top, bottom - top, tall)
                spread = spread_blocks(
                    np.array(by_block.astype(mx.float32)).reshape(-1, wide),
                    first_row=first % height,
                    shape=shape,
                    block=(height, width),
                )
                values = self._e4m3(span.name, data, first, shape, total)
                values *= spread
                return mx.array(values)
            case Packed() as packed:
                return self._dequantised(packed, first, count, total)

    def _dequantised(
        self, packed: Packed, first: int, count: int, total: int
    ) -> mx.array:
        """MLX's arithmetic in float32: codes times scale plus bias."""
        codes = self._bytes(packed.data, first, count, total).view(np.uint32)
        if packed.scheme.mode == "affine":
            scales = self._floats(packed.scales, first, count, total)
            scales = scales.astype(mx.float32)
        else:
            scales = mx.array(self._bytes(packed.scales, first, count, total))
        biases = None
        if packed.biases is not None:
            biases = self._floats(packed.biases, first, count, total)
            biases = biases.astype(mx.float32).reshape(count, -1)
        return mx.dequantize(
            mx.array(codes.reshape(count, -1)),
            scales.reshape(count, -1),
            biases,
            group_size=packed.scheme.group_size,
            bits=packed.scheme.bits,
            mode=packed.scheme.mode,
            dtype=mx.float32,
        )

    def _e4m3(
        self,
        name: str,
        info: TensorInfo,
        first: int,
        shape: tuple[int, int],
        total: int,
    ) -> NDArray[np.float32]:
        codes = self._bytes(info, first, shape[0], total).reshape(shape)
        if has_nan(codes):
            bad = is_nan(codes)
            row = first + int(bad.any(axis=1).argmax())
            raise CheckpointError(
                f"{info.file}: {name} holds {int(bad.sum())} FP8 codes that stand for "
                f"no number, the first in row {row}; the file is damaged, fetch it "
                "again"
            )
        return np.take(E4M3, codes, mode="clip")  # faster than an index

    def _floats(self, info: TensorInfo, first: int, count: int, total: int) -> mx.array:
        """A vector in the stored dtype."""
        nbytes = count * (info.nbytes // total)
        if len(self._buffer) < nbytes:
            self._buffer = np.empty(nbytes, np.uint8)
        raw = self._buffer[:nbytes]
        self._read_into(raw, info, first, total)
        match info.dtype:  # an mlx array is a copy of the buffer
            case "BF16":
                return mx.array(raw.view(np.uint16)).view(mx.bfloat16)
            case "F16":
                return mx.array(raw.view(np.float16))
            case "F32":
                return mx.array(raw.view(np.float32))
        raise CheckpointError(f"{info.file}: {info.dtype} holds no floats")

    def _bytes(
        self, info: TensorInfo, first: int, count: int, total: int
    ) -> NDArray[np.uint8]:
        """`count` of the `total` rows that a stored tensor has, as they lie there."""
        raw = np.empty(count * (info.nbytes // total), np.uint8)
        self._read_into(raw, info, first, total)
        return raw

    def _read_into(
        self, raw: NDArray[np.uint8], info: TensorInfo, first: int, total: int
    ) -> None:
        """Fill `raw` with what lies from row `first` of `total` on."""
        at = info.start + first * (info.nbytes // total)
        left = raw.data
        try:
            descriptor = self._open(info.file)
            while left:
                count = os.preadv(descriptor, [left], at)
                if not count:
                    raise CheckpointError(
                        f"{info.file} ends at byte {at}, its header promises "
                        f"{info.stop}: it was cut since the conversion began; fetch "
                        f"it again, {_GO_ON}"
                    )
                left, at = left[count:], at + count
        except OSError as error:
            raise CheckpointError(
                f"{info.file} cannot be read ({error.strerror}); bring the source's "
                f"disk or file back, {_GO_ON}"
            ) from error
        self.bytes_read += len(raw)

    def _open(self, file: Path) -> int:
        if file not in self._descriptors:
            self._descriptors[file] = os.open(file, os.O_RDONLY)
        return self._descriptors[file]
