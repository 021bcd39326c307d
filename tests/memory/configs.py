"""Configs whose memory is known: GLM-4.5V's own, and a tiny one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.parameters.shapes import parameter_shapes
from tests.checkpoint_forms import config_with

GLM45V: dict[str, Any] = {
    "model_type": "glm4v_moe",
    "text_config": {
        "model_type": "glm4v_moe_text",
        "vocab_size": 151552,
        "head_dim": 128,
        "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]},
    },
    "vision_config": {"model_type": "glm4v_moe", "intermediate_size": 10944},
}
# More than any machine has: two tables of 2**30 rows.
HUGE = config_with(text_config={"vocab_size": 2**30, "hidden_size": 256})
HUGE["vision_config"] = {**HUGE["vision_config"], "out_hidden_size": 256}


def glm45v() -> Glm4vMoeConfig:
    """GLM-4.5V as released."""
    return Glm4vMoeConfig.from_dict(GLM45V)


def affine(bits: int, **modules: Any) -> dict[str, Any]:
    """MLX's table as published conversions have it."""
    return {"group_size": 64, "bits": bits, "mode": "affine", **modules}


def write_sparse(folder: Path, raw: dict[str, Any]) -> Path:
    """A folder whose headers are true and whose weights are a hole in the file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(raw))
    header: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    end = 0
    for key, shape in parameter_shapes(Glm4vMoeConfig.from_dict(raw)).items():
        size = 2
        for length in shape:
            size *= length
        offsets = [end, end + size]
        header[key] = {"dtype": "BF16", "shape": shape, "data_offsets": offsets}
        end += size
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return folder
