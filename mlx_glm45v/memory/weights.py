"""How many bytes the weights take once loaded: from headers, or from a config alone.

Knows MLX's quantised formats and which parameters stay plain floats. Reads no weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ..checkpoints import Checkpoint
from ..config import Glm4vMoeConfig
from ..model.weights import keeps_float32, layer_of, module_of, targets
from ..parameters.kinds import EXPERTS, NEVER_QUANTISED, kind_of
from ..parameters.recipes import Recipe, Scheme
from ..parameters.shapes import Shape, parameter_shapes

_FLOATS = {"F32", "F16", "BF16"}
_FLOAT32 = 4

SchemeOf = Callable[[str, Shape], Scheme | None]


@dataclass(frozen=True)
class WeightSizes:
    """Bytes of the routed experts, layer by layer that has them, and of all else."""

    trunk: int
    experts: tuple[int, ...]

    @classmethod
    def of(cls, nbytes: Mapping[str, int]) -> WeightSizes:
        """From the bytes of each array by its key."""
        trunk, experts = 0, Counter[int]()
        for key, size in nbytes.items():
            layer = layer_of(key)
            if layer is not None and kind_of(module_of(key)) in EXPERTS:
                experts[layer] += size
            else:
                trunk += size
        return cls(trunk, tuple(experts[layer] for layer in sorted(experts)))

    @property
    def total(self) -> int:
        return self.trunk + sum(self.experts)


def weight_bytes(
    config: Glm4vMoeConfig,
    quantization: Mapping[str, Any] | None,
    *,
    float_bytes: int = 2,
) -> int:
    """The sum of `weight_sizes`."""
    return weight_sizes(config, quantization, float_bytes=float_bytes).total


def weight_sizes(
    config: Glm4vMoeConfig,
    quantization: Mapping[str, Any] | None,
    *,
    float_bytes: int = 2,
) -> WeightSizes:
    """Bytes of all parameters as MLX's table says they are; None is plain floats.

    A quantised matrix takes numbers * bits / 8, and for each group a scale and a bias
    in floats (affine) or one byte of scale (mxfp4, mxfp8, nvfp4). The table's own
    values hold for every matrix of the decoder whose rows are whole groups; entries
    under a module's key go before, False is plain. The router is float32, the vision
    tower plain unless the table names its modules. Raises ValueError for values that
    MLX does not have.
    """
    table = quantization or {}

    def scheme_of(module: str, shape: Shape) -> Scheme | None:
        scheme = _listed_scheme(module, table)
        return None if scheme is None or shape[-1] % scheme.group_size else scheme

    return _add_up(config, scheme_of, float_bytes)


def recipe_bytes(
    config: Glm4vMoeConfig, recipe: Recipe, *, float_bytes: int = 2
) -> int:
    """The sum of `recipe_sizes`."""
    return recipe_sizes(config, recipe, float_bytes=float_bytes).total


def recipe_sizes(
    config: Glm4vMoeConfig, recipe: Recipe, *, float_bytes: int = 2
) -> WeightSizes:
    """Bytes of all parameters as a recipe of the converter would leave them."""
    layers = config.text_config.num_hidden_layers

    def scheme_of(module: str, shape: Shape) -> Scheme | None:
        return recipe.scheme_for(module, shape, num_hidden_layers=layers)

    return _add_up(config, scheme_of, float_bytes)


def weight_bytes_of_files(
    checkpoint: Checkpoint, config: Glm4vMoeConfig, *, float_bytes: int = 2
) -> int:
    """The sum of `weight_sizes_of_files`."""
    return weight_sizes_of_files(checkpoint, config, float_bytes=float_bytes).total


def weight_sizes_of_files(
    checkpoint: Checkpoint, config: Glm4vMoeConfig, *, float_bytes: int = 2
) -> WeightSizes:
    """Bytes of a folder's weights as loading leaves them in memory.

    Floats are counted at `float_bytes`, the router's at 4, packed integers as they are
    stored; what loading leaves out (layers beyond the config's number, the head of tied
    embeddings) is left out here.
    """
    sizes: dict[str, int] = {}
    layers = config.text_config.num_hidden_layers
    for name, info in checkpoint.tensors.items():
        parts = targets(name, layout=checkpoint.format)
        if not parts or (layer_of(parts[0].key) or 0) >= layers:
            continue
        key = parts[0].key
        if config.tie_word_embeddings and key.startswith("language_model.lm_head."):
            continue
        nbytes = info.nbytes
        if info.dtype in _FLOATS:
            nbytes = prod(info.shape) * _bytes_of_float(key, float_bytes)
        # Experts stored one by one share a key.
        sizes[key] = sizes.get(key, 0) + nbytes
    return WeightSizes.of(sizes)


def _add_up(
    config: Glm4vMoeConfig, scheme_of: SchemeOf, float_bytes: int
) -> WeightSizes:
    sizes: dict[str, int] = {}
    for key, shape in parameter_shapes(config).items():
        numbers = prod(shape)
        module = module_of(key)
        scheme = scheme_of(module, shape) if key.endswith(".weight") else None
        if scheme is None:
            sizes[key] = numbers * _bytes_of_float(key, float_bytes)
        else:
            group = 2 * float_bytes if scheme.mode == "affine" else 1
            packed = numbers * scheme.bits // 8
            sizes[key] = packed + numbers // scheme.group_size * group
    return WeightSizes.of(sizes)


def _listed_scheme(module: str, table: Mapping[str, Any]) -> Scheme | None:
    """What MLX's table says of a module, None when it stays as it is."""
    kind = kind_of(module)
    entry = table.get(module, kind != "vision")
    if not table or entry is False or kind in NEVER_QUANTISED:
        return None
    values = entry if isinstance(entry, Mapping) else table
    bits, group_size = values.get("bits"), values.get("group_size")
    if type(bits) is not int or type(group_size) is not int:
        raise ValueError(
            f"the quantization of {module} needs bits and group_size, it has "
            f"{dict(values)!r}"
        )
    return Scheme(bits, group_size, values.get("mode", "affine"))


def _bytes_of_float(key: str, float_bytes: int) -> int:
    return _FLOAT32 if keeps_float32(key) else float_bytes
