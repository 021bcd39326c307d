"""What each module of the model is for, by its key alone.

Recipes give bits to kinds, reports add sizes and errors up by kind. Knows the MLX
layout's names; knows no shapes and no bits.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

Kind = Literal[
    "embeddings",
    "head",
    "attention",
    "dense",
    "shared",
    "expert_gate",
    "expert_up",
    "expert_down",
    "router",
    "vision",
    "patches",
    "norm",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Read at their full width by everyone: the router and the norms decide more than they
# weigh, and the tower's kernels and position table are no matrices of a linear layer.
NEVER_QUANTISED: frozenset[Kind] = frozenset({"router", "patches", "norm"})

# The routed ones, of which a token uses a few.
EXPERTS: frozenset[Kind] = frozenset({"expert_gate", "expert_up", "expert_down"})

_LAYER = r"language_model\.model\.layers\.\d+\."
_PATTERNS: tuple[tuple[str, Kind], ...] = (
    (_LAYER + r"self_attn\.[qkvo]_proj", "attention"),
    (_LAYER + r"mlp\.(gate|up|down)_proj", "dense"),
    (_LAYER + r"mlp\.shared_experts\.(gate|up|down)_proj", "shared"),
    (_LAYER + r"mlp\.switch_mlp\.gate_proj", "expert_gate"),
    (_LAYER + r"mlp\.switch_mlp\.up_proj", "expert_up"),
    (_LAYER + r"mlp\.switch_mlp\.down_proj", "expert_down"),
    (_LAYER + r"mlp\.gate", "router"),
    (_LAYER + r"(input|post_attention)_layernorm", "norm"),
    (r"language_model\.model\.embed_tokens", "embeddings"),
    (r"language_model\.lm_head", "head"),
    (r"language_model\.model\.norm", "norm"),
    (r"vision_tower\.(patch_embed\.proj|downsample)", "patches"),
    (r"vision_tower\.embeddings\.position_embedding", "patches"),
    (r"vision_tower\.blocks\.\d+\.norm[12]", "norm"),
    (r"vision_tower\.(post_conv_layernorm|post_layernorm)", "norm"),
    (r"vision_tower\.merger\.post_projection_norm", "norm"),
    (r"vision_tower\.blocks\.\d+\.attn\.(qkv|proj)", "vision"),
    (r"vision_tower\.blocks\.\d+\.mlp\.(gate|up|down)_proj", "vision"),
    (r"vision_tower\.merger\.(proj|(gate|up|down)_proj)", "vision"),
)
_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind) for pattern, kind in _PATTERNS
)


def kind_of(module: str) -> Kind:
    """The kind of a module: its key in the MLX layout without `.weight` and the like.

    "vision" are the tower's linear layers, "patches" its convolutions and position
    table. Raises ValueError for a module that GLM-4.5V does not have.
    """
    for pattern, kind in _KINDS:
        if pattern.fullmatch(module):
            return kind
    raise ValueError(f"{module!r} is no module of GLM-4.5V's MLX layout")
