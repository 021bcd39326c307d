"""M-RoPE positions of a prompt as a pure function over runs of placeholders.

Knows grids and where they stand. Does not know ids, pixels or which model asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class PlaceholderRun(NamedTuple):
    """Tokens [start, stop) of one still picture or frame pair, and its patch grid."""

    start: int
    stop: int
    grid_thw: tuple[int, int, int]


def rope_positions(
    length: int, runs: Iterable[PlaceholderRun], *, merge_size: int
) -> tuple[np.ndarray, int]:
    """Temporal, height and width positions of `length` tokens, and the rope delta.

    Text advances all three axes by one a token. A picture that starts at position p
    gives its merged cell (row, column) the position (p, p + row, p + column), and the
    next text goes on at p + max(rows, columns). `runs` are in order and do not overlap.

    Returns int32 positions of shape (3, length), and the delta: token number i after
    the prompt stands at position i + delta.

    Raises:
        ValueError: a run's length does not match its grid, or runs overlap.

    Source: `Glm4vMoeModel.get_rope_index` of transformers.
    """
    positions = np.empty((3, length), dtype=np.int32)
    token = 0
    position = 0
    for start, stop, (frames, height, width) in runs:
        rows, columns = height // merge_size, width // merge_size
        if frames != 1 or stop - start != rows * columns:
            raise ValueError(
                f"placeholders {start}-{stop} do not hold one frame of "
                f"{rows} x {columns} merged patches (grid {frames, height, width})"
            )
        if start < token or stop > length:
            raise ValueError(
                f"placeholders {start}-{stop} overlap others or pass the end ({length})"
            )
        text = start - token
        positions[:, token:start] = np.arange(position, position + text)
        position += text
        row, column = np.divmod(np.arange(stop - start), columns)
        positions[0, start:stop] = position
        positions[1, start:stop] = position + row
        positions[2, start:stop] = position + column
        position += max(rows, columns)
        token = stop
    positions[:, token:] = np.arange(position, position + length - token)
    position += length - token
    return positions, position - length
