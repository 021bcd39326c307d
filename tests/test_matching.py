"""The released GLM-4.5V, by its names and shapes alone, fits the model exactly."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from mlx_glm45v.checkpoints import Checkpoint
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.matching import Expected, match
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.safetensors_header import TensorInfo

LAYERS = 46
EXPERTS = 128
HIDDEN = 4096
CONFIG: dict[str, Any] = {
    "model_type": "glm4v_moe",
    "text_config": {
        "vocab_size": 151552,
        "hidden_size": HIDDEN,
        "intermediate_size": 10944,
        "moe_intermediate_size": 1408,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 96,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "n_routed_experts": EXPERTS,
        "num_experts_per_tok": 8,
        "attention_bias": True,
        "partial_rotary_factor": 0.5,
        "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]},
    },
    "vision_config": {"model_type": "glm4v_moe", "intermediate_size": 10944},
}


def mlp(prefix: str, hidden: int, width: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}.gate_proj.weight": (width, hidden),
        f"{prefix}.up_proj.weight": (width, hidden),
        f"{prefix}.down_proj.weight": (hidden, width),
    }


def released() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the bf16 release, one tensor per expert."""
    found: dict[str, tuple[int, ...]] = {
        "lm_head.weight": (151552, HIDDEN),
        "model.language_model.embed_tokens.weight": (151552, HIDDEN),
        "model.language_model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        prefix = f"model.language_model.layers.{layer}"
        found[f"{prefix}.input_layernorm.weight"] = (HIDDEN,)
        found[f"{prefix}.post_attention_layernorm.weight"] = (HIDDEN,)
        for name, width in (("q", 12288), ("k", 1024), ("v", 1024)):
            found[f"{prefix}.self_attn.{name}_proj.weight"] = (width, HIDDEN)
            found[f"{prefix}.self_attn.{name}_proj.bias"] = (width,)
        found[f"{prefix}.self_attn.o_proj.weight"] = (HIDDEN, 12288)
        if layer == 0:
            found.update(mlp(f"{prefix}.mlp", HIDDEN, 10944))
            continue
        found[f"{prefix}.mlp.gate.weight"] = (EXPERTS, HIDDEN)
        found[f"{prefix}.mlp.gate.e_score_correction_bias"] = (EXPERTS,)
        found.update(mlp(f"{prefix}.mlp.shared_experts", HIDDEN, 1408))
        for expert in range(EXPERTS):
            found.update(mlp(f"{prefix}.mlp.experts.{expert}", HIDDEN, 1408))
    visual = "model.visual"
    found |= {
        f"{visual}.patch_embed.proj.weight": (1536, 3, 2, 14, 14),
        f"{visual}.patch_embed.proj.bias": (1536,),
        f"{visual}.embeddings.position_embedding.weight": (576, 1536),
        f"{visual}.post_conv_layernorm.weight": (1536,),
        f"{visual}.post_layernorm.weight": (1536,),
        f"{visual}.downsample.weight": (HIDDEN, 1536, 2, 2),
        f"{visual}.downsample.bias": (HIDDEN,),
        f"{visual}.merger.proj.weight": (HIDDEN, HIDDEN),
        f"{visual}.merger.post_projection_norm.weight": (HIDDEN,),
        f"{visual}.merger.post_projection_norm.bias": (HIDDEN,),
        **mlp(f"{visual}.merger", HIDDEN, 10944),
    }
    for block in range(24):
        prefix = f"{visual}.blocks.{block}"
        found |= {
            f"{prefix}.norm1.weight": (1536,),
            f"{prefix}.norm2.weight": (1536,),
            f"{prefix}.attn.qkv.weight": (4608, 1536),
            f"{prefix}.attn.proj.weight": (1536, 1536),
            **mlp(f"{prefix}.mlp", 1536, HIDDEN),
        }
    return found


def checkpoint_of(shapes: dict[str, tuple[int, ...]]) -> Checkpoint:
    file = Path("model.safetensors")
    return Checkpoint(
        folder=Path("GLM-4.5V"),
        config=CONFIG,
        tensors={
            name: TensorInfo(file, "BF16", shape, 0, 2 * math.prod(shape))
            for name, shape in shapes.items()
        },
        format="hf",
        quantization=None,
        quant_method=None,
        warnings=(),
    )


def test_the_released_tensors_fill_every_parameter_once():
    shapes = released()
    assert len(shapes) == 18_106
    assert sum(map(math.prod, shapes.values())) == 107_710_933_120
    started = time.perf_counter()
    before = mx.get_active_memory()
    model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(CONFIG))
    expected = {
        key: Expected(array.shape) for key, array in tree_flatten(model.parameters())
    }
    matched = match(checkpoint_of(shapes), expected, num_hidden_layers=LAYERS)
    assert matched.dropped == ()
    assert sum(len(sources) for sources in matched.sources.values()) == len(shapes)
    # Nothing of the 431 GB in float32 was made on the way.
    assert mx.get_active_memory() - before < 10**7
    assert time.perf_counter() - started < 5


def test_the_published_config_is_the_one_above():
    path = Path(__file__).parents[1] / "../shared/checkpoints/GLM-4.5V.config.json"
    if not path.exists():
        pytest.skip("needs the published config beside the project")
    published = json.loads(path.read_text())
    for table in ("text_config", "vision_config"):
        for name, value in CONFIG[table].items():
            assert published[table][name] == value, name
