"""Sources in the forms that conversions read, made from one set of random weights."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlx_glm45v.conversion.fp8 import E4M3
from tests.checkpoint_forms import Arrays, config_with, per_expert

# A vocabulary and sizes that quantise, and little else: conversions run in no time.
SMALL = config_with(
    text_config={
        "vocab_size": 196,
        "num_hidden_layers": 2,
        "n_routed_experts": 4,
        "dtype": "bfloat16",
    }
)
COMPRESSED_TENSORS: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "float", "strategy": "channel"},
        }
    },
    "ignore": ["lm_head"],
}


@dataclass(frozen=True)
class Raw:
    """A stored tensor: the format's dtype, its shape and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def raw(array: mx.array | np.ndarray, dtype: str | None = None) -> Raw:
    """An array as it is stored; `dtype` renames bytes that numpy has no name for."""
    if isinstance(array, mx.array):
        if array.dtype == mx.bfloat16:
            return Raw("BF16", array.shape, np.array(array.view(mx.uint16)).tobytes())
        array = np.array(array)
    names = {"float32": "F32", "float16": "F16", "uint8": "U8", "uint32": "U32"}
    return Raw(dtype or names[str(array.dtype)], array.shape, array.tobytes())


def raws(stored: Arrays) -> dict[str, Raw]:
    return {name: raw(mx.contiguous(array)) for name, array in stored.items()}


def write_source(
    folder: Path,
    config: Mapping[str, Any],
    stored: Mapping[str, Raw],
    *,
    format: str = "pt",
    shards: int = 1,
    seed: int | None = None,
) -> Path:
    """Write a checkpoint; `seed` shuffles the tensors over the shards and in them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    names = list(stored)
    if seed is not None:
        random.Random(seed).shuffle(names)
    for number in range(shards):
        header: dict[str, Any] = {"__metadata__": {"format": format}}
        blocks: list[bytes] = []
        position = 0
        for name in names[number::shards]:
            tensor = stored[name]
            header[name] = {
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "data_offsets": [position, position + len(tensor.data)],
            }
            position += len(tensor.data)
            blocks.append(tensor.data)
        text = json.dumps(header).encode()
        path = folder / f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))
    return folder


def in_bf16(weights: Arrays) -> Arrays:
    """As published: everything bf16 but the correction bias."""
    return {
        key: array if "e_score" in key else array.astype(mx.bfloat16)
        for key, array in weights.items()
    }


def _is_fp8(name: str) -> bool:
    """The linear layers of the decoder, as in the FP8 releases."""
    return name.endswith("_proj.weight") and "visual" not in name


def fp8_by_row(
    weights: Arrays, *, scales: str = "F32", flat: bool = False
) -> tuple[dict[str, Raw], dict[str, np.ndarray]]:
    """compressed-tensors' form, and the values it stands for by stored name."""
    stored = raws(in_bf16(per_expert(weights)))
    values: dict[str, np.ndarray] = {}
    for name, array in per_expert(weights).items():
        if not _is_fp8(name):
            continue
        matrix = np.array(array)
        scale = np.abs(matrix).max(axis=1, keepdims=True) / 448
        kept = mx.array(scale).astype(mx.bfloat16 if scales == "BF16" else mx.float32)
        scale = np.array(kept.astype(mx.float32))
        codes = np.array(mx.to_fp8(mx.array(matrix / scale)))
        stored[name] = raw(codes, "F8_E4M3")
        stored[f"{name}_scale"] = raw(kept.reshape(-1) if flat else kept)
        values[name] = E4M3[codes] * scale
    return stored, values


def fp8_by_block(
    weights: Arrays, *, block: tuple[int, int]
) -> tuple[dict[str, Raw], dict[str, np.ndarray]]:
    """Block FP8 (`weight_scale_inv`), and the values it stands for by stored name."""
    stored = raws(in_bf16(per_expert(weights)))
    values: dict[str, np.ndarray] = {}
    for name, array in per_expert(weights).items():
        if not _is_fp8(name):
            continue
        matrix = np.array(array)
        counts = [math.ceil(n / b) for n, b in zip(matrix.shape, block, strict=True)]
        scale = np.random.default_rng(5).uniform(1e-3, 2e-3, counts)
        scale = scale.astype(np.float32)
        spread = np.kron(scale, np.ones(block, np.float32))
        spread = spread[: matrix.shape[0], : matrix.shape[1]]
        codes = np.array(mx.to_fp8(mx.array(matrix / spread)))
        stored[name] = raw(codes, "F8_E4M3")
        stored[f"{name}_scale_inv"] = raw(scale)
        values[name] = E4M3[codes] * spread
    return stored, values


def read_arrays(folder: Path) -> Arrays:
    """All arrays of a converted folder, by mlx's own reader."""
    arrays: Arrays = {}
    for file in sorted(folder.glob("*.safetensors")):
        arrays.update(mx.load(str(file)))
    return arrays


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and its bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
