"""What a safetensors file says it holds, read from its header alone.

Knows the file format (eight bytes of length, a JSON table, then the data) and checks
that the file is as long as the table says. Does not know what the tensors mean and
reads none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointError

# https://github.com/huggingface/safetensors#format
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
LENGTH_BYTES = 8
_LARGEST_HEADER = 100_000_000  # the reference implementation's own limit
_FETCH_AGAIN = "fetch or convert this file again"


@dataclass(frozen=True)
class TensorInfo:
    """One tensor lies at `file[start:stop]` (bytes); `dtype` as the file spells it."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def nbytes(self) -> int:
        """Size of the stored data in bytes."""
        return self.stop - self.start


@dataclass(frozen=True)
class Header:
    """A file's free-form metadata, and its tensors by name in order of their data."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]


def read_header(file: Path) -> Header:
    """Read and check the header of one safetensors file.

    Raises `CheckpointError` when the file is missing, truncated, too long, a git-lfs
    pointer, or when its table contradicts itself; the message has the numbers.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            prefix = stream.read(LENGTH_BYTES)
            text = stream.read(table_length(file, prefix, size=size))
    except OSError as error:
        raise CheckpointError(
            f"{file} cannot be read ({error.strerror}); check that it exists and that "
            "its permissions allow reading"
        ) from error
    return parse_header(file, text, size=size)


def table_length(file: Path, prefix: bytes, *, size: int) -> int:
    """How many bytes of table follow the first `LENGTH_BYTES` of a file of `size`.

    Raises `CheckpointError` when that cannot be; the file itself is not looked at.
    """
    length = int.from_bytes(prefix, "little")
    _check_length(file, prefix, length=length, size=size)
    return length


def parse_header(file: Path, text: bytes, *, size: int) -> Header:
    """The header whose table is `text`; `file` of `size` bytes need not be here.

    Raises as `read_header` does.
    """
    table = _parse_table(file, text)
    metadata = table.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{file}: __metadata__ is not a table; {_FETCH_AGAIN}")
    base = LENGTH_BYTES + len(text)
    infos = {name: _tensor_info(file, name, row, base) for name, row in table.items()}
    by_place = sorted(infos.items(), key=lambda item: (item[1].start, item[1].stop))
    ordered = dict(by_place)
    _check_extent(file, ordered, base=base, size=size)
    return Header(metadata=metadata, tensors=ordered)


def _check_length(file: Path, prefix: bytes, *, length: int, size: int) -> None:
    if size == 0:
        raise CheckpointError(f"{file} is empty (0 bytes); {_FETCH_AGAIN}")
    if prefix == b"version ":
        raise CheckpointError(
            f"{file} is a git-lfs pointer of {size} bytes, not the weights themselves; "
            "run `git lfs pull` in its folder"
        )
    if size < LENGTH_BYTES:
        raise CheckpointError(
            f"{file} is truncated: {size} bytes, a safetensors file starts with "
            f"{LENGTH_BYTES}; {_FETCH_AGAIN}"
        )
    if length > _LARGEST_HEADER:
        raise CheckpointError(
            f"{file} is not a safetensors file: its first {LENGTH_BYTES} bytes "
            f"announce a header of {length} bytes; {_FETCH_AGAIN}"
        )
    if size < LENGTH_BYTES + length:
        raise CheckpointError(
            f"{file} is truncated: {size} bytes found, its header alone ends at "
            f"{LENGTH_BYTES + length}; {_FETCH_AGAIN}"
        )


def _parse_table(file: Path, text: bytes) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except ValueError as error:  # JSON and UTF-8 errors alike
        raise CheckpointError(
            f"{file}: the header is not valid JSON ({error}); {_FETCH_AGAIN}"
        ) from error
    if not isinstance(table, dict):
        raise CheckpointError(f"{file}: the header is not a table; {_FETCH_AGAIN}")
    return table


def _tensor_info(file: Path, name: str, row: Any, base: int) -> TensorInfo:
    try:
        dtype = row["dtype"]
        shape = tuple(row["shape"])
        start, stop = row["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file}: the header's entry for {name} is incomplete: {row!r}; "
            f"{_FETCH_AGAIN}"
        ) from error
    if not isinstance(dtype, str) or dtype not in BITS:
        raise CheckpointError(f"{file}: {name} has the unknown dtype {dtype!r}")
    if not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
        raise CheckpointError(
            f"{file}: {name} has shape {list(shape)} and offsets {[start, stop]}, "
            f"which are not all counts; {_FETCH_AGAIN}"
        )
    expected = -(-math.prod(shape) * BITS[dtype] // 8)
    if stop - start != expected:
        raise CheckpointError(
            f"{file}: {name} of shape {list(shape)} in {dtype} takes {expected} bytes, "
            f"its offsets span {stop - start}; {_FETCH_AGAIN}"
        )
    return TensorInfo(file, dtype, shape, base + start, base + stop)


def _check_extent(
    file: Path, ordered: Mapping[str, TensorInfo], *, base: int, size: int
) -> None:
    """The format allows neither gaps nor overlaps nor bytes after the last tensor."""
    position = base
    for name, info in ordered.items():
        if info.start != position:
            raise CheckpointError(
                f"{file}: {name} starts at byte {info.start}, the tensor before it "
                f"ends at {position}; {_FETCH_AGAIN}"
            )
        position = info.stop
    if size < position:
        raise CheckpointError(
            f"{file} is truncated: {size} bytes found, {position} expected; "
            f"{_FETCH_AGAIN}"
        )
    if size > position:
        raise CheckpointError(
            f"{file} is too long: {size} bytes found, {position} expected; "
            f"{_FETCH_AGAIN}"
        )
