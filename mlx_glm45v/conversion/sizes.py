"""What a recipe makes of a config: file size, bits per weight, bytes a token reads.

From shapes alone, nothing is opened. Knows nothing of files: headers, which add less
than 1 MB to GLM-4.5V's 61.9 GB, are left out. What a token reads of the KV cache grows
with the context and is left out, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import mlx.core as mx

from ..config import Glm4vMoeConfig
from ..model.weights import keeps_float32
from ..parameters.kinds import EXPERTS, Kind, kind_of
from ..parameters.recipes import Recipe
from ..parameters.shapes import Shape, parameter_shapes, size_of
from .quantise import packed_shapes

_TOWER: frozenset[Kind] = frozenset({"vision", "patches"})


@dataclass(frozen=True)
class Sizes:
    """Bytes of all tensors, by kind of module and altogether.

    `bytes_per_token` is what decoding one token reads of the weights.
    """

    parameters: int
    by_kind: Mapping[Kind, int]
    bytes_per_token: int

    @property
    def total_bytes(self) -> int:
        return sum(self.by_kind.values())

    @property
    def bits_per_weight(self) -> float:
        """Over all parameters, the tower and everything unquantised included."""
        return self.total_bytes * 8 / self.parameters


def measure(
    config: Glm4vMoeConfig,
    recipe: Recipe | None,
    *,
    dtype: mx.Dtype = mx.bfloat16,
) -> Sizes:
    """The sizes of a config's weights under a recipe; None quantises nothing.

    `dtype` is that of what stays float and of affine scales and biases.
    """
    parameters, read = 0, 0
    by_kind: Counter[Kind] = Counter()
    for key, shape in parameter_shapes(config).items():
        kind = kind_of(key.rpartition(".")[0])
        stored = sum(
            size_of(array) * kept.size
            for array, kept in _arrays(config, recipe, key, shape, dtype)
        )
        parameters += size_of(shape)
        by_kind[kind] += stored
        read += _read_by_a_token(config, kind, shape, stored)
    return Sizes(parameters, dict(by_kind), read)


def _arrays(
    config: Glm4vMoeConfig,
    recipe: Recipe | None,
    key: str,
    shape: Shape,
    dtype: mx.Dtype,
) -> Iterator[tuple[Shape, mx.Dtype]]:
    """Shapes and dtypes of what is stored of one parameter."""
    module, _, suffix = key.rpartition(".")
    if recipe is not None and suffix == "weight":
        layers = config.text_config.num_hidden_layers
        scheme = recipe.scheme_for(module, shape, num_hidden_layers=layers)
        if scheme is not None:
            yield from packed_shapes(shape, scheme, dtype=dtype).values()
            return
    yield shape, mx.float32 if keeps_float32(key) else dtype


def _read_by_a_token(
    config: Glm4vMoeConfig, kind: Kind, shape: Shape, stored: int
) -> int:
    if kind in _TOWER:
        return 0
    if kind in EXPERTS:
        return stored * config.text_config.num_experts_per_tok // shape[0]
    if kind == "embeddings":
        row = stored // shape[0]
        # A tied head multiplies with the whole table.
        return row + stored if config.tie_word_embeddings else row
    return stored
