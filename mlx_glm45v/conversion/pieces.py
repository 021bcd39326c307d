"""One piece of a conversion: written with its checksums, and compared with them later.

Knows how a span's rows map to the bytes of the output's arrays, and the order that
needs each source file for one stretch of time. Does not know journals.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .encode import encoded_blocks
from .plan import Piece, Plan
from .reader import Reader
from .writer import Writer


def write_piece(
    plan: Plan, piece: Piece, reader: Reader, writer: Writer, *, numbers: int
) -> Iterator[tuple[int, list[int]]]:
    """Read, encode and write in place; after each block (rows done, checksums so far).

    A checksum is the CRC-32 of what the piece wrote into an array, one for each slot.
    """
    parameter, span = piece.parameter, piece.span
    checksums = [0] * len(parameter.slots)
    row_bytes = [slot.nbytes // parameter.rows for slot in parameter.slots]
    for start, arrays in encoded_blocks(plan, parameter, span, reader, numbers=numbers):
        for index, data in enumerate(arrays):
            offset = (span.first_row + start) * row_bytes[index]
            writer.write(parameter.slots[index], offset, data)
            checksums[index] = zlib.crc32(data, checksums[index])
        yield start + len(arrays[0]) // row_bytes[0], checksums


def is_intact(piece: Piece, writer: Writer, checksums: Sequence[int]) -> bool:
    """Whether the output holds what the piece wrote."""
    for slot, wanted in zip(piece.parameter.slots, checksums, strict=True):
        row_bytes = slot.nbytes // piece.parameter.rows
        offset = piece.span.first_row * row_bytes
        if writer.checksum(slot, offset, piece.span.rows * row_bytes) != wanted:
            return False
    return True


def in_order_of_files(
    pieces: Iterable[Piece],
) -> Iterator[tuple[Path, list[Piece], list[Path]]]:
    """Pieces as the source lies: (file, pieces it completes, files not needed after).

    A piece whose weight and scales lie in two files comes with the later one, and first
    there, so that the earlier one is soon done with.
    """
    pieces = list(pieces)
    files = sorted({file for piece in pieces for file in piece.span.files})
    place = {file: index for index, file in enumerate(files)}
    groups: dict[tuple[int, bool], list[Piece]] = defaultdict(list)
    last_use: dict[Path, tuple[int, bool]] = {}
    for piece in pieces:
        places = {place[file] for file in piece.span.files}
        group = (max(places), len(places) == 1)
        groups[group].append(piece)
        for file in piece.span.files:
            last_use[file] = max(group, last_use.get(file, group))
    for index in range(len(files)):
        if (index, False) not in groups:
            groups.setdefault((index, True), [])  # completes nothing, is needed later
    for group, several in sorted(groups.items(), key=lambda item: item[0]):
        ready = sorted(several, key=_place_in_source)
        yield files[group[0]], ready, [f for f in files if last_use[f] == group]


def most_files_at_once(pieces: Iterable[Piece]) -> int:
    """How many source files have to be there at a time, taken in that order."""
    held: set[Path] = set()
    most = 0
    for file, _, finished in in_order_of_files(pieces):
        held.add(file)
        most = max(most, len(held))
        held.difference_update(finished)
    return most


def _place_in_source(piece: Piece) -> tuple[str, int, int]:
    data = piece.span.stored.data
    return str(data.file), data.start, piece.span.source_row
