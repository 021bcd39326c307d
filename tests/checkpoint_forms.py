"""One set of random weights in every form in which checkpoints are published."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

EXPERTS = 12  # two digits: the order of names is not the order of numbers
CONFIG: dict[str, Any] = {
    "architectures": ["Glm4vMoeForConditionalGeneration"],
    "model_type": "glm4v_moe",
    "image_token_id": 190,
    "video_token_id": 191,
    "image_start_token_id": 192,
    "image_end_token_id": 193,
    "video_start_token_id": 194,
    "video_end_token_id": 195,
    "text_config": {
        "model_type": "glm4v_moe_text",
        "vocab_size": 200,
        "hidden_size": 64,
        "intermediate_size": 128,
        "moe_intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "n_routed_experts": EXPERTS,
        "num_experts_per_tok": 2,
        "n_shared_experts": 1,
        "first_k_dense_replace": 1,
        "attention_bias": True,
        "partial_rotary_factor": 0.5,
        "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]},
    },
    "vision_config": {
        "model_type": "glm4v_moe",
        "depth": 2,
        "hidden_size": 32,
        "num_heads": 2,
        "out_hidden_size": 64,
        "intermediate_size": 48,
        "image_size": 56,
    },
}

Arrays = dict[str, mx.array]


def config_with(**changes: Any) -> dict[str, Any]:
    """The tiny config; `text_config` entries are merged, others replaced."""
    config = copy.deepcopy(CONFIG)
    config["text_config"].update(changes.pop("text_config", {}))
    return {**config, **changes}


def random_weights(config: Mapping[str, Any], *, seed: int = 7) -> Arrays:
    """Float32 weights by the model's own names, large enough to matter."""
    model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(config))
    generator = np.random.default_rng(seed)
    weights: Arrays = {}
    for key, parameter in tree_flatten(model.parameters()):
        noise = generator.standard_normal(parameter.shape).astype(np.float32)
        is_norm = "norm" in key and key.endswith("weight")
        weights[key] = mx.array(1 + 0.1 * noise if is_norm else 0.15 * noise)
    return weights


# Layouts: from our names to the published ones.

_THEIR_PREFIXES = (
    ("language_model.lm_head.", "lm_head."),
    ("language_model.model.", "model.language_model."),
    ("vision_tower.", "model.visual."),
)
_CHANNEL_FIRST = {
    "vision_tower.patch_embed.proj.weight": (0, 4, 1, 2, 3),
    "vision_tower.downsample.weight": (0, 3, 1, 2),
}


def per_expert(weights: Arrays) -> Arrays:
    """As GLM-4.5V was released: one tensor for each expert and projection."""
    stored: Arrays = {}
    for key, array in weights.items():
        name = _their_name(key)
        if ".switch_mlp." in name:
            for expert in range(array.shape[0]):
                renamed = name.replace(".switch_mlp.", f".experts.{expert}.")
                stored[renamed] = array[expert]
        else:
            stored[name] = _channel_first(key, array)
    return stored


def fused(weights: Arrays) -> Arrays:
    """As transformers 5 keeps them: gate before up, all experts in one tensor."""
    stored = {
        _their_name(key): _channel_first(key, array)
        for key, array in weights.items()
        if ".switch_mlp." not in key
    }
    for key, gate in weights.items():
        if not key.endswith(".switch_mlp.gate_proj.weight"):
            continue
        up = weights[key.replace("gate_proj", "up_proj")]
        down = weights[key.replace("gate_proj", "down_proj")]
        experts = _their_name(key).replace(".switch_mlp.gate_proj.weight", ".experts.")
        stored[experts + "gate_up_proj"] = mx.concatenate([gate, up], axis=1)
        stored[experts + "down_proj"] = down
    return stored


def older(weights: Arrays) -> Arrays:
    """Prefixes from before the language model was a module of its own."""
    return {
        name.replace("model.language_model.", "model.").replace(
            "model.visual.", "visual."
        ): array
        for name, array in per_expert(weights).items()
    }


def mlx_layout(weights: Arrays) -> Arrays:
    """As mlx-community publishes: the model's own names."""
    return dict(weights)


def _their_name(key: str) -> str:
    for ours, theirs in _THEIR_PREFIXES:
        if key.startswith(ours):
            return theirs + key[len(ours) :]
    raise ValueError(key)


def _channel_first(key: str, array: mx.array) -> mx.array:
    axes = _CHANNEL_FIRST.get(key)
    return array.transpose(axes) if axes else array


@dataclass(frozen=True)
class Form:
    """A layout with the format that its headers name."""

    stored: Callable[[Arrays], Arrays]
    format: str


FORMS = {
    "per-expert": Form(per_expert, "pt"),
    "fused": Form(fused, "pt"),
    "older": Form(older, "pt"),
    "mlx": Form(mlx_layout, "mlx"),
}


# Writing.


def write_folder(
    folder: Path,
    config: Mapping[str, Any],
    stored: Arrays,
    *,
    format: str = "pt",
    shards: int = 1,
    seed: int | None = None,
    index: bool = True,
) -> Path:
    """Write a checkpoint; `seed` shuffles the tensors over the shards and in them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    names = list(stored)
    if seed is not None:
        random.Random(seed).shuffle(names)
    weight_map: dict[str, str] = {}
    for number in range(shards):
        part = names[number::shards]
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        if shards == 1:
            file = "model.safetensors"
        write_file(folder / file, {name: stored[name] for name in part}, format=format)
        weight_map.update(dict.fromkeys(part, file))
    if index and shards > 1:
        write_index(folder, weight_map)
    return folder


def write_index(folder: Path, weight_map: Mapping[str, str]) -> None:
    """Write an index, true or not."""
    document = {"metadata": {}, "weight_map": dict(weight_map)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(document))


def write_file(path: Path, stored: Arrays, *, format: str | None = "pt") -> None:
    """Write one safetensors file in the order given, so that tests know every byte."""
    header: dict[str, Any] = {"__metadata__": {"format": format}} if format else {}
    blocks: list[bytes] = []
    position = 0
    for name, array in stored.items():
        block = _bytes_of(array)
        header[name] = {
            "dtype": _DTYPES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [position, position + len(block)],
        }
        position += len(block)
        blocks.append(block)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))


_DTYPES = {
    mx.float32: "F32",
    mx.float16: "F16",
    mx.bfloat16: "BF16",
    mx.uint32: "U32",
    mx.uint8: "U8",
}


def _bytes_of(array: mx.array) -> bytes:
    array = mx.contiguous(array)
    if array.dtype == mx.bfloat16:
        array = array.view(mx.uint16)
    return np.array(array).tobytes()


# Models.


def build(config: Mapping[str, Any], weights: Arrays) -> nn.Module:
    """The model with weights given directly, without any file."""
    model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(config))
    model.update(tree_unflatten(list(weights.items())))
    return model


def parameters_of(model: nn.Module) -> Arrays:
    """All parameters by name."""
    return dict(tree_flatten(model.parameters()))


def logits_of(model: nn.Module) -> np.ndarray:
    """Logits of a prompt with one image of 4 x 6 patches."""
    pixels = np.random.default_rng(3).standard_normal((24, 1176)).astype(np.float32)
    ids = [1, 2, 192, *[190] * 6, 193, 17, 42, 5]
    output = model(
        input_ids=mx.array([ids]),
        pixel_values=mx.array(pixels),
        image_grid_thw=[(1, 4, 6)],
    )
    return np.array(output.logits.astype(mx.float32))
