"""The usual way to convert, for comparison: a whole layer at a time, lazily.

Every tensor is loaded lazily, experts are stacked, `mx.quantize` is applied, and
`mx.save_safetensors` evaluates a layer at once. Bytes as our converter's, in files of
their own for each layer.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import mlx.core as mx

from mlx_glm45v.model.weights import keeps_float32, layer_of, module_of, targets
from mlx_glm45v.parameters.recipes import Recipe


def convert_whole_layers(source: Path, target: Path, recipe: Recipe) -> None:
    """Write the layers of a bf16 folder quantised into `target`, synced."""
    target.mkdir()
    groups: dict[int | str, dict[str, dict[int, mx.array]]] = defaultdict(dict)
    for file in sorted(source.glob("*.safetensors")):
        for name, array in mx.load(str(file)).items():
            for goal in targets(name, layout="hf") or ():
                key = goal.key
                group = groups[_group_of(key)]
                array = array.transpose(goal.axes) if goal.axes else array
                group.setdefault(key, {})[goal.expert or 0] = array
    del array
    layers = max(group for group in groups if isinstance(group, int)) + 1
    for number, group in enumerate(sorted(groups, key=str)):
        arrays: dict[str, mx.array] = {}
        for key, parts in groups.pop(group).items():
            stacked = ".switch_mlp." in key
            array = mx.stack([parts[e] for e in sorted(parts)]) if stacked else parts[0]
            arrays.update(_stored(key, array, recipe, layers))
        path = target / f"model-{number:05d}.safetensors"
        parts = {}
        array = mx.zeros(())
        mx.save_safetensors(str(path), arrays, metadata={"format": "mlx"})
        arrays.clear()
        mx.clear_cache()
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _group_of(key: str) -> int | str:
    """The layer; the tower and the two tables are groups of their own."""
    layer = layer_of(key)
    if layer is not None:
        return layer
    return "tower" if key.startswith("vision_tower.") else module_of(key)


def _stored(
    key: str, array: mx.array, recipe: Recipe, layers: int
) -> dict[str, mx.array]:
    scheme = None
    if key.endswith(".weight"):
        module = module_of(key)
        scheme = recipe.scheme_for(module, array.shape, num_hidden_layers=layers)
    if scheme is None:
        dtype = mx.float32 if keeps_float32(key) else mx.bfloat16
        return {key: array.astype(dtype)}
    packed = mx.quantize(
        array, group_size=scheme.group_size, bits=scheme.bits, mode=scheme.mode
    )
    names = ("weight", "scales", "biases")
    return {
        f"{module_of(key)}.{name}": part
        for name, part in zip(names, packed, strict=False)
    }
