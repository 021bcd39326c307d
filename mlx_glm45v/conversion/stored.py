"""How the numbers of a parameter lie in the source: plain, FP8 or packed by MLX.

Values only: the forms, and the span of rows that fills a part of a parameter. `sources`
finds them, `reader` reads them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ..model.weights import Axes
from ..parameters.recipes import Scheme
from ..safetensors_header import TensorInfo


@dataclass(frozen=True)
class Plain:
    """Floats as they are; `axes` transpose the stored tensor, axis 0 stays first."""

    data: TensorInfo
    axes: Axes | None = None

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """Every stored tensor that takes part."""
        return (self.data,)


@dataclass(frozen=True)
class ScaledRows:
    """E4M3 codes with one scale for each row (compressed-tensors, "channel")."""

    data: TensorInfo
    scales: TensorInfo

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """Every stored tensor that takes part."""
        return (self.data, self.scales)


@dataclass(frozen=True)
class ScaledBlocks:
    """E4M3 codes with one scale for each block of rows and columns."""

    data: TensorInfo
    scales: TensorInfo
    block: tuple[int, int]

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """Every stored tensor that takes part."""
        return (self.data, self.scales)


@dataclass(frozen=True)
class Packed:
    """MLX's quantised form: packed codes, scales and (affine) biases."""

    data: TensorInfo
    scales: TensorInfo
    biases: TensorInfo | None
    scheme: Scheme

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """Every stored tensor that takes part."""
        biases = () if self.biases is None else (self.biases,)
        return (self.data, self.scales, *biases)


Stored = Plain | ScaledRows | ScaledBlocks | Packed


@dataclass(frozen=True)
class Span:
    """Rows of a source that are rows of a parameter: the unit of work and of resuming.

    Parameter and source are seen as matrices of `columns` numbers a row. Rows
    `first_row` up to `first_row + rows` of the parameter are the source's from
    `source_row` on; the source has `source_rows` in all. `name` is the stored tensor's.
    """

    name: str
    stored: Stored
    first_row: int
    rows: int
    columns: int
    source_row: int
    source_rows: int

    @property
    def nbytes(self) -> int:
        """Bytes that are read for this span, its share of the scales included."""
        return sum(
            info.nbytes * self.rows // self.source_rows for info in self.stored.infos
        )

    @property
    def files(self) -> frozenset[Path]:
        """The source files that hold a part of it."""
        return frozenset(info.file for info in self.stored.infos)


def matrix_shape(
    shape: tuple[int, ...], *, whole_rows: bool = False
) -> tuple[int, int]:
    """(rows, columns) of a parameter: its last axis is a row.

    A vector is one row. With `whole_rows`, a row is everything under one index of axis
    0, which is as small as a tensor can be cut that gets transposed.
    """
    if len(shape) < 2:
        return 1, math.prod(shape)
    if whole_rows:
        return shape[0], math.prod(shape[1:])
    return math.prod(shape[:-1]), shape[-1]
