"""What a conversion will write and from what, worked out from headers alone.

Joins the source's spans, the recipe's schemes and the layout of the output. A plan is a
value: equal sources and wishes give equal plans, whatever the source's sharding is.
Reads no weights and touches no output.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mlx.core as mx

from ..checkpoints import Checkpoint
from ..config import Glm4vMoeConfig
from ..errors import CheckpointError, ConversionError
from ..model.weights import keeps_float32, layer_of, module_of
from ..parameters.recipes import Recipe, Scheme
from ..parameters.shapes import parameter_shapes, size_of
from .config_out import output_config
from .layout import LARGEST_FILE, Array, OutputFile, Slot, lay_out
from .quantise import packed_shapes
from .sources import find_sources
from .stored import Span

DTYPES: Mapping[str, mx.Dtype] = {
    "bfloat16": mx.bfloat16,
    "float16": mx.float16,
    "float32": mx.float32,
}
_SPELLED = {
    mx.bfloat16: "BF16",
    mx.float16: "F16",
    mx.float32: "F32",
    mx.uint32: "U32",
    mx.uint8: "U8",
}
_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


@dataclass(frozen=True)
class Parameter:
    """One parameter: how it is stored, where (a slot for each array), and from what."""

    key: str
    shape: tuple[int, ...]
    scheme: Scheme | None
    slots: tuple[Slot, ...]
    spans: tuple[Span, ...]

    @cached_property
    def rows(self) -> int:
        """Rows of all spans together."""
        return sum(span.rows for span in self.spans)


@dataclass(frozen=True)
class Piece:
    """One span of a parameter: what is read, written and noted as done at once."""

    number: int
    parameter: Parameter
    span: Span

    @property
    def nbytes(self) -> int:
        """Bytes that the piece writes."""
        rows = self.parameter.rows
        return sum(s.nbytes * self.span.rows // rows for s in self.parameter.slots)

    @property
    def output_files(self) -> frozenset[str]:
        """Names of the files that it writes to."""
        return frozenset(slot.file for slot in self.parameter.slots)

    @property
    def label(self) -> str:
        """What a person is told is at work."""
        layer = layer_of(self.parameter.key)
        return module_of(self.parameter.key) if layer is None else f"layer {layer}"


@dataclass(frozen=True)
class Plan:
    """A whole conversion. `config` is the output's config.json.

    `dropped` names the source's tensors that are left out.
    """

    checkpoint: Checkpoint
    recipe: Recipe | None
    search: bool
    dtype: str
    config: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    files: tuple[OutputFile, ...]
    pieces: tuple[Piece, ...]
    dropped: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all weight files."""
        return sum(file.size for file in self.files)

    @cached_property
    def bytes_to_read(self) -> int:
        """Bytes of the source that a whole run reads."""
        return sum(piece.span.nbytes for piece in self.pieces)

    @property
    def count(self) -> int:
        """How many numbers the parameters hold together."""
        return sum(size_of(parameter.shape) for parameter in self.parameters)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits for each number of the parameters, scales and biases included."""
        stored = sum(s.nbytes for p in self.parameters for s in p.slots)
        return stored * 8 / self.count

    def digest(self) -> str:
        """A checksum of everything that decides which bytes go where."""
        together = hashlib.sha256()
        for file in self.files:
            together.update(file.name.encode() + file.header)
        return together.hexdigest()


def make_plan(
    checkpoint: Checkpoint,
    *,
    recipe: Recipe | None,
    search: bool = False,
    dtype: str | None = None,
    largest_file: int = LARGEST_FILE,
) -> Plan:
    """Plan the conversion of a checkpoint whose headers were read.

    `recipe` None writes floats. `dtype` is that of all floats but the router's, by
    default the one the config names, or else the final norm's. Raises
    `CheckpointError` when the source does not fit its config or cannot be read,
    `ConversionError` for another dtype.
    """
    if dtype is not None and dtype not in DTYPES:
        raise ConversionError(
            f"floats cannot be written in dtype {dtype!r}; known are "
            f"{', '.join(DTYPES)}"
        )
    config = _config_of(checkpoint)
    layers = config.text_config.num_hidden_layers
    shapes = parameter_shapes(config)
    sources = find_sources(checkpoint, shapes, num_hidden_layers=layers)
    if dtype is None:
        norm = sources.spans["language_model.model.norm.weight"][0].stored.data.dtype
        dtype = config.weights_dtype or _NAMES[norm]
    schemes: dict[str, Scheme | None] = {}
    for key, shape in shapes.items():
        module = module_of(key)
        schemes[key] = None
        if recipe is not None and key == f"{module}.weight":
            schemes[key] = recipe.scheme_for(module, shape, num_hidden_layers=layers)
    arrays = {
        key: tuple(_arrays(key, shape, schemes[key], DTYPES[dtype]))
        for key, shape in shapes.items()
    }
    files = lay_out(
        (array for several in arrays.values() for array in several),
        largest_file=largest_file,
    )
    slots = {slot.array.name: slot for file in files for slot in file.slots}
    parameters = tuple(
        Parameter(
            key,
            shape,
            schemes[key],
            tuple(slots[array.name] for array in arrays[key]),
            sources.spans[key],
        )
        for key, shape in shapes.items()
    )
    spans = ((p, span) for p in parameters for span in p.spans)
    return Plan(
        checkpoint=checkpoint,
        recipe=recipe,
        search=search,
        dtype=dtype,
        config=output_config(config, shapes, schemes, dtype=dtype),
        parameters=parameters,
        files=files,
        pieces=tuple(Piece(n, p, span) for n, (p, span) in enumerate(spans)),
        dropped=sources.dropped,
    )


def _config_of(checkpoint: Checkpoint) -> Glm4vMoeConfig:
    try:
        config = Glm4vMoeConfig.from_dict(checkpoint.config)
        config.validate()
    except CheckpointError as error:
        path = checkpoint.folder / "config.json"
        raise CheckpointError(f"{path}: {error}") from error
    return config


def _arrays(
    key: str, shape: tuple[int, ...], scheme: Scheme | None, dtype: mx.Dtype
) -> Iterator[Array]:
    if scheme is None:
        kept = mx.float32 if keeps_float32(key) else dtype
        yield Array(key, _SPELLED[kept], shape)
        return
    for suffix, (packed, kind) in packed_shapes(shape, scheme, dtype=dtype).items():
        yield Array(f"{module_of(key)}.{suffix}", _SPELLED[kind], packed)
