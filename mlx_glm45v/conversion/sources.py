"""Which stored rows fill which parameters, for every form of published weights.

Recognises plain, FP8 and MLX-packed tensors by config and headers, has `matching`
compare names, shapes and dtypes, and cuts stacked experts into spans of one expert
each. Reads no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..checkpoints import Checkpoint
from ..errors import CheckpointError
from ..matching import FLOATS, Expected, Source, match
from ..model.weights import module_of, targets
from ..parameters.recipes import Scheme
from ..safetensors_header import TensorInfo
from .foreign import BLOCK_FP8, block_size, check_quantization, mlx_scheme
from .quantise import packed_shapes
from .stored import Packed, Plain, ScaledBlocks, ScaledRows, Span, Stored, matrix_shape

Shape = tuple[int, ...]
_E4M3 = "F8_E4M3"
_ROW_SCALES = "_scale"
_BLOCK_SCALES = "_scale_inv"
# A piece is what is lost when a conversion is killed, and written between two looks at
# whether to stop and to sync: 64 MB in 16 bits.
_NUMBERS_IN_PART = 32_000_000


@dataclass(frozen=True)
class Sources:
    """The spans that fill each parameter, by its key and in the order of its rows.

    `dropped` names stored tensors that belong to no layer of the model.
    """

    spans: Mapping[str, tuple[Span, ...]]
    dropped: tuple[str, ...]


def find_sources(
    checkpoint: Checkpoint, shapes: Mapping[str, Shape], *, num_hidden_layers: int
) -> Sources:
    """Pair every parameter of `shapes` with the stored rows that fill it, strictly.

    Raises `CheckpointError` for a quantisation that cannot be read, and for tensors
    that are missing, surplus or misshapen.
    """
    path = checkpoint.folder / "config.json"
    check_quantization(checkpoint.config, checkpoint.quant_method, path)
    expected = {key: Expected(shape) for key, shape in shapes.items()}
    schemes: dict[str, Scheme] = {}
    block = None
    if checkpoint.quantization is not None:
        schemes = _schemes(checkpoint, checkpoint.quantization, shapes)
        for key, scheme in schemes.items():
            expected.update(_packed(key, shapes[key], scheme))
    elif checkpoint.quant_method is not None:
        if checkpoint.quant_method == BLOCK_FP8:
            block = block_size(checkpoint.config, path)
        expected.update(_scaled(checkpoint, shapes, block))
    matched = match(checkpoint, expected, num_hidden_layers=num_hidden_layers)
    places = {
        (key, source.target.expert): source.info
        for key, sources in matched.sources.items()
        for source in sources
    }
    spans = {
        key: tuple(
            span
            for source in matched.sources[key]
            for span in _spans(
                source, _stored(source, places, schemes.get(key), block), shape
            )
        )
        for key, shape in shapes.items()
    }
    return Sources(spans=spans, dropped=matched.dropped)


def _schemes(
    checkpoint: Checkpoint, table: Mapping[str, object], shapes: Mapping[str, Shape]
) -> dict[str, Scheme]:
    """The schemes of the weights that have `.scales` beside them, by key."""
    path = checkpoint.folder / "config.json"
    return {
        key: mlx_scheme(table, module_of(key), path)
        for key in shapes
        if key.endswith(".weight") and f"{module_of(key)}.scales" in checkpoint.tensors
    }


def _packed(key: str, shape: Shape, scheme: Scheme) -> Iterator[tuple[str, Expected]]:
    try:
        arrays = packed_shapes(shape, scheme)
    except ValueError as error:
        raise CheckpointError(
            f"{key} cannot be quantised as config.json says ({error}); fetch or "
            "convert the folder again"
        ) from error
    for suffix, (packed, _) in arrays.items():
        if suffix == "weight":
            dtypes = frozenset({"U32"})
        else:
            dtypes = FLOATS if scheme.mode == "affine" else frozenset({"U8"})
        yield f"{module_of(key)}.{suffix}", Expected(packed, dtypes)


def _scaled(
    checkpoint: Checkpoint,
    shapes: Mapping[str, Shape],
    block: tuple[int, int] | None,
) -> Iterator[tuple[str, Expected]]:
    """What FP8 weights need: one of two kinds of scales beside each of them."""
    for name, info in checkpoint.tensors.items():
        if info.dtype != _E4M3:
            continue
        for target in targets(name, layout=checkpoint.format) or ():
            if (shape := shapes.get(target.key)) is None:
                continue
            yield target.key, Expected(shape, FLOATS | {_E4M3})
            *stacked, rows, columns = shape
            if scales := checkpoint.tensors.get(name + _ROW_SCALES):
                # Published as (rows, 1) and as (rows,).
                one = (1,) if len(scales.shape) == len(info.shape) else ()
                wanted = (*stacked, rows, *one)
                yield target.key + _ROW_SCALES, Expected(wanted)
            elif block is not None and name + _BLOCK_SCALES in checkpoint.tensors:
                if len(info.shape) == 3:
                    raise CheckpointError(
                        f"{info.file}: {name} holds {info.shape[0]} experts in "
                        "one tensor with scales for blocks, a form that nobody "
                        "publishes and that is not read; take a release with a "
                        "tensor per expert"
                    )
                wanted = (*stacked, -(-rows // block[0]), -(-columns // block[1]))
                yield target.key + _BLOCK_SCALES, Expected(wanted)
            else:
                kind = _ROW_SCALES if block is None else _BLOCK_SCALES
                raise CheckpointError(
                    f"{info.file}: {name} is {info.dtype}, but no file holds "
                    f"{name}{kind}; fetch the missing file"
                )


def _stored(
    source: Source,
    places: Mapping[tuple[str, int | None], TensorInfo],
    scheme: Scheme | None,
    block: tuple[int, int] | None,
) -> Stored:
    key, expert, data = source.target.key, source.target.expert, source.info
    if scheme is not None:
        module = module_of(key)
        scales = places[f"{module}.scales", expert]
        return Packed(data, scales, places.get((f"{module}.biases", expert)), scheme)
    if data.dtype != _E4M3:
        return Plain(data, source.target.axes)
    if scales := places.get((key + _ROW_SCALES, expert)):
        return ScaledRows(data, scales)
    assert block is not None  # or `_scaled` would have refused the tensor
    return ScaledBlocks(data, places[key + _BLOCK_SCALES, expert], block)


def _spans(source: Source, stored: Stored, shape: Shape) -> Iterator[Span]:
    """One span for each expert, or for each of equal parts of a large matrix."""
    target = source.target
    rows, columns = matrix_shape(shape, whole_rows=target.axes is not None)
    if len(shape) != 3:
        count = 1 if target.axes is not None else _parts(rows, columns)
        part = rows // count
        for first in range(0, rows, part):
            yield Span(source.name, stored, first, part, columns, first, rows)
        return
    experts, rows, _ = shape
    if target.expert is not None:
        first = target.expert * rows
        yield Span(source.name, stored, first, rows, columns, 0, rows)
        return
    halves = 1 if target.half is None else 2
    for expert in range(experts):
        at = (expert * halves + (target.half or 0)) * rows
        total = experts * halves * rows
        yield Span(source.name, stored, expert * rows, rows, columns, at, total)


def _parts(rows: int, columns: int) -> int:
    """Into how many equal parts a matrix is cut; 1 where its rows cannot be shared."""
    least = -(-rows * columns // _NUMBERS_IN_PART)
    return next((n for n in range(least, 4 * least + 1) if rows % n == 0), 1)
