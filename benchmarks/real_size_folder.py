"""Folders that hold everything of GLM-4.5V except the number of layers, random values.

Written tensor by tensor into shards of 5 GB as the releases have them (bf16, or FP8
with a scale for each row), so that making one needs little memory. Numbers come from
one pool of Gaussian ones, each tensor's from another place of it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.parameters.shapes import parameter_shapes

SHARD_BYTES = 5_000_000_000
_POOL_NUMBERS = 2**25
_DEVIATION = 0.02  # of the weights, as models are initialised
_FP8_SCALE = 1e-4
_PREFIXES = (
    ("language_model.model.", "model.language_model."),
    ("language_model.lm_head.", "lm_head."),
    ("vision_tower.", "model.visual."),
)
# torch convolves (out, in, *kernel); MLX (out, *kernel, in).
_CHANNEL_FIRST = {
    "vision_tower.patch_embed.proj.weight": (0, 4, 1, 2, 3),
    "vision_tower.downsample.weight": (0, 3, 1, 2),
}
_BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the folder: its published name, the format's dtype, its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size of its data in bytes."""
        return math.prod(self.shape) * _BYTES[self.dtype]


def real_size_config(moe_layers: int, *, scale: int = 1) -> dict[str, Any]:
    """GLM-4.5V's config.json with layer 0 and `moe_layers` more.

    `scale` divides widths, vocabulary and experts, to try things out.
    """
    experts = 128 // scale
    return {
        "architectures": ["Glm4vMoeForConditionalGeneration"],
        "model_type": "glm4v_moe",
        "image_token_id": 151363 // scale,
        "video_token_id": 151364 // scale,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "glm4v_moe_text",
            "dtype": "bfloat16",
            "vocab_size": 151552 // scale,
            "hidden_size": 4096 // scale,
            "intermediate_size": _multiple(10944 // scale),
            "moe_intermediate_size": _multiple(1408 // scale),
            "num_hidden_layers": 1 + moe_layers,
            "first_k_dense_replace": 1,
            "num_attention_heads": 96 // scale,
            "num_key_value_heads": 8 // scale,
            "head_dim": 128,
            "attention_bias": True,
            "use_qk_norm": False,
            "n_routed_experts": experts,
            "num_experts_per_tok": min(8, experts),
            "n_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
            "norm_topk_prob": True,
            "routed_scaling_factor": 1.0,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 65536,
            "partial_rotary_factor": 0.5,
            "rope_theta": 10000.0,
            "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]},
        },
        "vision_config": {
            "model_type": "glm4v_moe",
            "depth": 24,
            "hidden_size": 1536 // scale,
            "num_heads": 12 if scale == 1 else 4,
            "out_hidden_size": 4096 // scale,
            "intermediate_size": _multiple(10944 // scale),
            "image_size": 336,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "rms_norm_eps": 1e-5,
        },
    }


def write_folder(folder: Path, config: dict[str, Any], *, fp8: bool = False) -> int:
    """Write the folder shard by shard; returns the bytes of its weight files."""
    folder.mkdir(parents=True)
    if fp8:
        config = {**config, "quantization_config": _fp8_table()}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    shards = list(_shards(list(_tensors(config, fp8=fp8))))
    pools = _pools()
    for number, tensors in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        with (folder / name).open("wb") as file:
            _write_header(file, tensors)
            for seed, tensor in enumerate(tensors):
                _write_numbers(file, tensor, pools, np.random.default_rng(seed))
            file.flush()
            os.fsync(file.fileno())
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def _multiple(number: int) -> int:
    """Down to a multiple of the usual group."""
    return number // 64 * 64


def _fp8_table() -> dict[str, Any]:
    weights = {"num_bits": 8, "type": "float", "strategy": "channel"}
    return {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head"],
    }


def _tensors(config: dict[str, Any], *, fp8: bool) -> Iterator[Tensor]:
    for key, shape in parameter_shapes(Glm4vMoeConfig.from_dict(config)).items():
        name = _published(key)
        if axes := _CHANNEL_FIRST.get(key):
            shape = tuple(shape[axis] for axis in axes)
        if ".switch_mlp." in name:
            experts = range(shape[0])
            names = [name.replace(".switch_mlp.", f".experts.{e}.") for e in experts]
            shape = shape[1:]
        else:
            names = [name]
        dtype = "F32" if name.endswith("e_score_correction_bias") else "BF16"
        if fp8 and name.endswith("_proj.weight") and ".visual." not in name:
            dtype = "F8_E4M3"
        for one in names:
            yield Tensor(one, dtype, shape)
            if dtype == "F8_E4M3":
                yield Tensor(f"{one}_scale", "BF16", (shape[0], 1))


def _published(key: str) -> str:
    for ours, theirs in _PREFIXES:
        if key.startswith(ours):
            return theirs + key[len(ours) :]
    raise ValueError(key)


def _shards(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    shard: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if shard and size + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(tensor)
        size += tensor.nbytes
    yield shard


def _pools() -> dict[str, NDArray[np.uint8]]:
    """Bytes of random numbers in each dtype."""
    numbers = np.random.default_rng(0).standard_normal(_POOL_NUMBERS, np.float32)
    small = mx.array(numbers * np.float32(_DEVIATION))
    return {
        "BF16": np.array(small.astype(mx.bfloat16).view(mx.uint8)),
        "F32": np.array(small[: 2**16].view(mx.uint8)),
        "F8_E4M3": np.array(mx.to_fp8(mx.array(numbers * np.float32(50)))),
    }


def _write_header(file: BinaryIO, tensors: Sequence[Tensor]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        offsets = [end, end + tensor.nbytes]
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": offsets,
        }
        end += tensor.nbytes
    text = json.dumps(header).encode()
    file.write(len(text).to_bytes(8, "little") + text)


def _write_numbers(
    file: BinaryIO,
    tensor: Tensor,
    pools: dict[str, NDArray[np.uint8]],
    chance: np.random.Generator,
) -> None:
    if tensor.name.endswith("_scale"):
        scales = _FP8_SCALE * chance.uniform(0.5, 2, tensor.shape).astype(np.float32)
        file.write(np.array(mx.array(scales).astype(mx.bfloat16).view(mx.uint8)).data)
        return
    pool = pools[tensor.dtype].data
    at = 8 * int(chance.integers(0, len(pool) // 8))
    left = tensor.nbytes
    while left:
        part = pool[at : at + left]
        file.write(part)
        left -= len(part)
        at = 0
