"""A folder with GLM-4.5V's real layers, few of them, at 4 bits in MLX's layout.

Random numbers, written packed as they are. Real are the widths of decoder layers and
the number of experts; the vocabulary is the demo's and the tower a stub, for neither
has anything to do with experts. Floats are float32, so that neither runtime has to cast
what it reads on the CPU backend, as none has to cast bfloat16 on a Mac.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from benchmarks.engine_inputs import DEMO, MEDIA_IDS
from benchmarks.real_size_folder import real_size_config
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.weights import layer_of, module_of
from mlx_glm45v.parameters.recipes import find_recipe
from mlx_glm45v.parameters.shapes import Shape, parameter_shapes

_RECIPE = find_recipe("4bit")
_DEVIATION = 0.02
# Of embeddings: large, so that tokens differ and choose different experts. At 0.02 the
# layers' outputs, alike for all tokens, would drown them.
_EMBEDDED = 1.0
# Not a multiple of an expert's bytes, so that no two are alike.
_DRAWN = 4 * 10_000_019
# Of the whole numbers from 0 to 15, which packed bits are.
_MEAN, _SPREAD = 7.5, math.sqrt((16**2 - 1) / 12)


def slice_config(moe_layers: int, *, scale: int = 1) -> dict[str, Any]:
    """config.json with layer 0 and `moe_layers` more; `scale` divides the widths."""
    config = real_size_config(moe_layers, scale=scale)
    demo = json.loads((DEMO / "config.json").read_text())
    config |= {key: demo[key] for key in MEDIA_IDS}
    text = config["text_config"]
    text |= {"vocab_size": demo["text_config"]["vocab_size"], "dtype": "float32"}
    config["vision_config"] |= {"depth": 1, "hidden_size": 128, "num_heads": 4}
    config["vision_config"] |= {"intermediate_size": 64}
    table = {"group_size": 64, "bits": 4, "mode": "affine"}
    return {**config, "quantization": table, "quantization_config": table}


def write_slice(folder: Path, config: dict[str, Any]) -> int:
    """Write it, a shard for each layer; returns the bytes of the weight files."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    parsed = Glm4vMoeConfig.from_dict(config)
    shards: defaultdict[int, dict[str, Shape]] = defaultdict(dict)
    for key, shape in parameter_shapes(parsed).items():
        layer = layer_of(key)
        shards[0 if layer is None else layer][key] = shape
    weight_map: dict[str, str] = {}
    for layer, shapes in sorted(shards.items()):
        name = f"model-{layer + 1:05d}-of-{len(shards):05d}.safetensors"
        arrays: dict[str, mx.array] = {}
        chance = np.random.default_rng(layer)
        for key, shape in shapes.items():
            arrays |= _stored(key, shape, chance, layers=len(shards))
        mx.save_safetensors(str(folder / name), arrays, {"format": "mlx"})
        weight_map |= dict.fromkeys(arrays, name)
        arrays.clear()
        mx.clear_cache()
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return bytes_of(folder)


def bytes_of(folder: Path) -> int:
    """Bytes of the weight files in a folder and below it."""
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def _bits(chance: np.random.Generator, nbytes: int) -> np.ndarray:
    """Random bits as words, the same again after a while: drawing all takes minutes."""
    drawn = np.frombuffer(chance.bytes(min(nbytes, _DRAWN)), np.uint32)
    return np.resize(drawn, nbytes // drawn.itemsize)


def _stored(
    key: str, shape: Shape, chance: np.random.Generator, *, layers: int
) -> dict[str, mx.array]:
    module = module_of(key)
    scheme = None
    if key.endswith(".weight"):
        scheme = _RECIPE.scheme_for(module, shape, num_hidden_layers=layers)
    if scheme is None:
        if "norm" in module:
            return {key: mx.ones(shape)}
        numbers = chance.standard_normal(shape, np.float32) * np.float32(_DEVIATION)
        return {key: mx.array(numbers)}
    deviation = _EMBEDDED if "embed_tokens" in module else _DEVIATION
    *rows, columns = shape
    packed = _bits(chance, math.prod(shape) * scheme.bits // 8).reshape(*rows, -1)
    groups = (*rows, columns // scheme.group_size)
    scales = chance.random(groups, np.float32) + np.float32(0.5)
    scales *= np.float32(deviation / _SPREAD)
    return {
        key: mx.array(packed),
        f"{module}.scales": mx.array(scales),
        f"{module}.biases": mx.array(scales * np.float32(-_MEAN)),
    }
