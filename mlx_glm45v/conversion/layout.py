"""Where every array of the output lies, settled before the first is written.

Knows the safetensors format and the limit of a file's size. Equal arrays in equal order
give equal bytes of header. Does not know sources, recipes or the disk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..safetensors_header import BITS

# 5 GB in the sense of disks and of the Hub, which is less than 5 GiB.
LARGEST_FILE = 5_000_000_000
_LENGTH_BYTES = 8
_ALIGNMENT = 8


@dataclass(frozen=True)
class Array:
    """One array of the output, before it has a place; `dtype` as the format spells."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size of its data in bytes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


@dataclass(frozen=True)
class Slot:
    """An array's place: `nbytes` bytes of `file` (a name) from byte `start` on."""

    array: Array
    file: str
    start: int

    @property
    def nbytes(self) -> int:
        """Size of the place in bytes."""
        return self.array.nbytes


@dataclass(frozen=True)
class OutputFile:
    """One file: its first bytes and its size; the arrays fill it without gaps."""

    name: str
    header: bytes
    size: int
    slots: tuple[Slot, ...]


def lay_out(
    arrays: Iterable[Array], *, largest_file: int = LARGEST_FILE
) -> tuple[OutputFile, ...]:
    """Spread arrays over files in their order, none larger than `largest_file`.

    An array that is larger alone gets a file of its own. Names are mlx-lm's.
    """
    groups = _grouped(arrays, largest_file)
    if len(groups) == 1:
        return (_file("model.safetensors", groups[0]),)
    names = (f"model-{n:05d}-of-{len(groups):05d}.safetensors" for n in range(1, 10**5))
    return tuple(map(_file, names, groups))


def index_document(files: Sequence[OutputFile], parameters: int) -> bytes:
    """`model.safetensors.index.json` of these files, as transformers writes it."""
    slots = sorted(
        (slot for file in files for slot in file.slots), key=lambda s: s.array.name
    )
    document = {
        "metadata": {
            "total_size": sum(slot.nbytes for slot in slots),
            "total_parameters": parameters,
        },
        "weight_map": {slot.array.name: slot.file for slot in slots},
    }
    return json.dumps(document, indent=4).encode() + b"\n"


def _grouped(arrays: Iterable[Array], largest_file: int) -> list[list[Array]]:
    groups: list[list[Array]] = [[]]
    # What the header takes at most, so that the whole file keeps the limit.
    used = overhead = 200
    for array in arrays:
        entry = len(json.dumps(_row(array, 10**12))) + len(array.name) + 10
        if groups[-1] and used + array.nbytes + entry > largest_file:
            groups.append([])
            used = overhead
        groups[-1].append(array)
        used += array.nbytes + entry
    return groups


def _file(name: str, arrays: Sequence[Array]) -> OutputFile:
    table: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    position = 0
    for array in arrays:
        table[array.name] = _row(array, position)
        position += array.nbytes
    text = json.dumps(table, separators=(",", ":")).encode()
    # Padded as the reference implementation does, so that the data is aligned.
    text += b" " * (-len(text) % _ALIGNMENT)
    header = len(text).to_bytes(_LENGTH_BYTES, "little") + text
    slots: list[Slot] = []
    start = len(header)
    for array in arrays:
        slots.append(Slot(array, name, start))
        start += array.nbytes
    return OutputFile(name, header, start, tuple(slots))


def _row(array: Array, position: int) -> dict[str, object]:
    return {
        "dtype": array.dtype,
        "shape": list(array.shape),
        "data_offsets": [position, position + array.nbytes],
    }
