from __future__ import annotations

import pytest

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.parameters.kinds import KINDS, NEVER_QUANTISED, kind_of
from mlx_glm45v.parameters.shapes import parameter_shapes
from tests.checkpoint_forms import CONFIG

LAYER = "language_model.model.layers.31"


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("language_model.model.embed_tokens", "embeddings"),
        ("language_model.lm_head", "head"),
        (f"{LAYER}.self_attn.k_proj", "attention"),
        (f"{LAYER}.self_attn.o_proj", "attention"),
        ("language_model.model.layers.0.mlp.down_proj", "dense"),
        (f"{LAYER}.mlp.shared_experts.up_proj", "shared"),
        (f"{LAYER}.mlp.switch_mlp.gate_proj", "expert_gate"),
        (f"{LAYER}.mlp.switch_mlp.up_proj", "expert_up"),
        (f"{LAYER}.mlp.switch_mlp.down_proj", "expert_down"),
        (f"{LAYER}.mlp.gate", "router"),
        (f"{LAYER}.post_attention_layernorm", "norm"),
        ("language_model.model.norm", "norm"),
        ("vision_tower.blocks.23.attn.qkv", "vision"),
        ("vision_tower.blocks.23.mlp.down_proj", "vision"),
        ("vision_tower.merger.proj", "vision"),
        ("vision_tower.merger.post_projection_norm", "norm"),
        ("vision_tower.blocks.0.norm2", "norm"),
        ("vision_tower.patch_embed.proj", "patches"),
        ("vision_tower.downsample", "patches"),
        ("vision_tower.embeddings.position_embedding", "patches"),
    ],
)
def test_a_module_has_the_kind_that_its_work_is(module: str, kind: str):
    assert kind_of(module) == kind


def test_every_module_of_a_model_has_a_kind_and_every_kind_a_module():
    shapes = parameter_shapes(Glm4vMoeConfig.from_dict(CONFIG))
    assert {kind_of(key.rpartition(".")[0]) for key in shapes} == set(KINDS)


@pytest.mark.parametrize(
    "module",
    [
        "",
        "lm_head",
        "model.language_model.embed_tokens",
        f"{LAYER}.mlp.experts.3.gate_proj",
        f"{LAYER}.mlp.gate.weight",
        f"{LAYER}.self_attn.qkv_proj",
        "vision_tower.blocks.1",
    ],
)
def test_an_unknown_module_is_refused_by_name(module: str):
    with pytest.raises(ValueError, match=f"^{module!r} is no module"):
        kind_of(module)


def test_vision_is_quantised_on_request_and_the_router_never():
    assert {"router", "norm", "patches"} == NEVER_QUANTISED
