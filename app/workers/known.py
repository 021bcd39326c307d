"""Repositories that the models page offers without asking anybody. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What GLM-4.5V's config.json says beyond the library's defaults.
GLM_45V: Mapping[str, Any] = {
    "model_type": "glm4v_moe",
    "text_config": {
        "model_type": "glm4v_moe_text",
        "vocab_size": 151552,
        "head_dim": 128,
        "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]},
    },
    "vision_config": {"model_type": "glm4v_moe", "intermediate_size": 10944},
}


@dataclass(frozen=True)
class KnownRepo:
    """A published conversion: `size` are the bytes of its files."""

    repo_id: str
    title: str
    bits: float
    size: int


KNOWN = tuple(
    KnownRepo(
        f"mlx-community/GLM-4.5V-{bits}bit",
        f"GLM-4.5V {bits}-bit",
        bits,
        tenths * 100_000_000,
    )
    for bits, tenths in ((3, 485), (4, 619), (6, 886), (8, 1153))
)
