"""Write trained weights in the published layout of GLM-4.5V.

Knows tensor names and types of that layout. Does not know how the weights were trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

FUSED = re.compile(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)$")
FLOAT32 = "e_score_correction_bias"


def published_tensors(
    state: Mapping[str, torch.Tensor],
) -> Iterator[tuple[str, torch.Tensor]]:
    """The model's tensors under published names: one per expert and projection."""
    for name, value in state.items():
        fused = FUSED.match(name)
        if fused is None:
            yield name, value
            continue
        prefix, projection = fused.groups()
        for expert, matrix in enumerate(value):
            if projection == "down_proj":
                yield f"{prefix}.{expert}.down_proj.weight", matrix
                continue
            gate, up = matrix.chunk(2)
            yield f"{prefix}.{expert}.gate_proj.weight", gate
            yield f"{prefix}.{expert}.up_proj.weight", up


def export_folder(state: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write `model.safetensors`: bfloat16, the router's correction bias in float32."""
    tensors = {
        name: value.to(
            torch.float32 if name.endswith(FLOAT32) else torch.bfloat16
        ).contiguous()
        for name, value in published_tensors(state)
    }
    path = folder / "model.safetensors"
    save_file(tensors, str(path), metadata={"format": "pt"})
    path.chmod(0o644)
