"""How far a converted model's numbers are from its source's, by kind of module.

Reads both in blocks of rows and adds up squared errors, so that memory never holds more
than a block of each. An error that the format cannot explain means that numbers are in
the wrong place. Knows no checksums and no words for people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mlx.core as mx
import numpy as np

from ..checkpoints import Checkpoint
from ..config import Glm4vMoeConfig
from ..model.weights import keeps_float32, layer_of, module_of
from ..parameters.kinds import KINDS, Kind, kind_of
from ..parameters.recipes import Scheme
from .checks import Advance
from .plan import DTYPES, Parameter, Plan
from .reader import BLOCK_NUMBERS, Reader
from .sources import find_sources
from .stored import Span

# A float's last bit, and the smallest step near zero.
_LAST_BITS: dict[mx.Dtype, tuple[float, float]] = {
    mx.bfloat16: (2.0**-8, 0.0),
    mx.float16: (2.0**-10, 2.0**-24),
    mx.float32: (2.0**-22, 0.0),
}
# Of a group's largest number, what MLX's floating-point modes are off by at most: half
# the widest gap between codes, or what lies above the largest code. nvfp4's groups have
# no scale below 2**-9 and lose numbers under 0.005 altogether.
_OFF_BY: dict[str, tuple[float, float]] = {
    "mxfp4": (1 / 4, 0.0),
    "mxfp8": (1 / 8, 0.0),
    "nvfp4": (1 / 4, 0.005),
}


@dataclass(frozen=True)
class Part:
    """Modules of one kind that are stored alike, and what became of their numbers.

    `scheme` None is plain floats in `dtype`. `error` is relative: the root of the
    squared errors over that of the squared numbers.
    """

    kind: Kind
    scheme: Scheme | None
    dtype: str
    count: int
    error: float


@dataclass
class _Sums:
    count: int = 0
    errors: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True)
class Misplaced:
    """Rows of an array that are further from their source than its format explains."""

    file: Path
    key: str
    expert: int | None
    source: str
    error: float
    allowed: float


class Comparison:
    """A folder's weights beside those of the source that a plan was made for.

    `parts` and `misplaced` grow as `run` goes on.
    """

    def __init__(
        self, plan: Plan, output: Checkpoint, *, numbers: int = BLOCK_NUMBERS
    ) -> None:
        """The output's headers fit its config: `checks.check_shapes` found nothing.

        `numbers` of each are compared at a time.
        """
        config = Glm4vMoeConfig.from_dict(output.config)
        shapes = {parameter.key: parameter.shape for parameter in plan.parameters}
        self._plan = plan
        self._numbers = numbers
        self._written = find_sources(
            output, shapes, num_hidden_layers=config.text_config.num_hidden_layers
        ).spans
        self._sums: dict[tuple[Kind, Scheme | None, str], _Sums] = {}
        self.misplaced: list[Misplaced] = []

    @property
    def nbytes(self) -> int:
        """Bytes that a whole comparison reads, of both."""
        written = (s.nbytes for spans in self._written.values() for s in spans)
        return self._plan.bytes_to_read + sum(written)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Errors so far, in the order of `KINDS`."""
        by_kind = sorted(self._sums.items(), key=lambda item: KINDS.index(item[0][0]))
        return tuple(
            Part(kind, scheme, dtype, sums.count, _relative(sums))
            for (kind, scheme, dtype), sums in by_kind
        )

    def run(self, *, advance: Advance) -> None:
        """Compare everything; raises `CheckpointError` for files that cannot be read.

        `advance` is told the bytes read of both.
        """
        with Reader() as source, Reader() as output:
            for parameter in self._plan.parameters:
                spans = zip(parameter.spans, self._written[parameter.key], strict=True)
                for expert, (read, written) in enumerate(spans):
                    stacked = expert if len(parameter.shape) == 3 else None
                    self._compare(parameter, stacked, read, written, source, output)
                    advance(read.nbytes + written.nbytes, _label(parameter.key))

    def _compare(
        self,
        parameter: Parameter,
        expert: int | None,
        read: Span,
        written: Span,
        source: Reader,
        output: Reader,
    ) -> None:
        dtype = "float32" if keeps_float32(parameter.key) else self._plan.dtype
        span = _Sums()
        allowed = 0.0
        for wanted, found in self._pairs(read, written, source, output):
            sums = mx.stack(
                [
                    mx.square(found - wanted).sum(),
                    mx.square(wanted).sum(),
                    allowed_error(wanted, parameter.scheme, DTYPES[dtype]),
                ]
            )
            errors, squares, limit = map(float, np.array(sums))
            span.count += wanted.size
            span.errors += errors
            span.squares += squares
            allowed += limit
            del wanted, found, sums
            mx.clear_cache()
        kind = kind_of(module_of(parameter.key))
        total = self._sums.setdefault((kind, parameter.scheme, dtype), _Sums())
        total.count += span.count
        total.errors += span.errors
        total.squares += span.squares
        if not span.errors <= allowed:  # an error that is not a number is off, too
            limit = _relative(replace(span, errors=allowed))
            self.misplaced.append(
                Misplaced(
                    file=written.stored.data.file,
                    key=parameter.key,
                    expert=expert,
                    source=f"{read.stored.data.file.name}: {read.name}",
                    error=_relative(span),
                    allowed=limit,
                )
            )

    def _pairs(
        self, read: Span, written: Span, source: Reader, output: Reader
    ) -> Iterator[tuple[mx.array, mx.array]]:
        """The same numbers of both, float32 (n, columns of the output), block by block.

        A kernel's row in the source may be many rows of the output.
        """
        ratio = read.columns // written.columns
        for start, block in source.blocks(read, numbers=self._numbers):
            rows = block.astype(mx.float32)
            count = rows.shape[0] * ratio
            part = replace(
                written, rows=count, source_row=written.source_row + start * ratio
            )
            for first, found in output.blocks(part, numbers=self._numbers):
                rows_of_part = rows.reshape(count, written.columns)
                wanted = rows_of_part[first : first + found.shape[0]]
                yield wanted, found.astype(mx.float32)


def allowed_error(
    rows: mx.array, scheme: Scheme | None, dtype: mx.Dtype = mx.bfloat16
) -> mx.array:
    """The sum of squared errors that storing rows (n, columns) may cost, a scalar.

    Affine: half a step in each place, a step being a group's range over its codes; but
    never more than the group's own squares, for zero is among the codes. The rounding
    of scales, biases and plain floats to `dtype` is added.
    """
    last_bit, smallest = _LAST_BITS[dtype]
    if scheme is None:
        return (mx.square(rows) * last_bit**2 + smallest**2).sum()
    groups = rows.reshape(-1, scheme.group_size)
    largest = mx.abs(groups).max(axis=1)
    if scheme.mode == "affine":
        step = (groups.max(axis=1) - groups.min(axis=1)) / (2**scheme.bits - 1)
        squares = mx.square(groups).sum(axis=1)
        rounded = mx.minimum(mx.square(step / 2) * scheme.group_size, squares)
        stored = mx.square(largest * last_bit + smallest) * scheme.group_size
        return (rounded + stored).sum()
    share, lost = _OFF_BY[scheme.mode]
    return (mx.square(largest * share + lost) * scheme.group_size).sum()


def _relative(sums: _Sums) -> float:
    if sums.squares == 0:
        return 0.0 if sums.errors == 0 else math.inf
    return math.sqrt(sums.errors / sums.squares)


def _label(key: str) -> str:
    layer = layer_of(key)
    return module_of(key) if layer is None else f"layer {layer}"
