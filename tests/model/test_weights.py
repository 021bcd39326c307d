"""Published names lead to the model's own, whichever layout they come from."""

from __future__ import annotations

import pytest

from mlx_glm45v.model.weights import (
    Target,
    keeps_float32,
    layer_of,
    module_of,
    targets,
)

LAYER = "language_model.model.layers.1"
SWITCH = f"{LAYER}.mlp.switch_mlp"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lm_head.weight", "language_model.lm_head.weight"),
        (
            "model.language_model.embed_tokens.weight",
            "language_model.model.embed_tokens.weight",
        ),
        ("model.language_model.norm.weight", "language_model.model.norm.weight"),
        (
            "model.language_model.layers.1.self_attn.q_proj.bias",
            f"{LAYER}.self_attn.q_proj.bias",
        ),
        (
            "model.language_model.layers.1.mlp.gate.e_score_correction_bias",
            f"{LAYER}.mlp.gate.e_score_correction_bias",
        ),
        (
            "model.language_model.layers.1.mlp.shared_experts.up_proj.weight",
            f"{LAYER}.mlp.shared_experts.up_proj.weight",
        ),
        (
            "model.visual.blocks.3.attn.qkv.weight",
            "vision_tower.blocks.3.attn.qkv.weight",
        ),
        ("model.visual.patch_embed.proj.bias", "vision_tower.patch_embed.proj.bias"),
        ("visual.merger.proj.weight", "vision_tower.merger.proj.weight"),
        ("model.layers.1.input_layernorm.weight", f"{LAYER}.input_layernorm.weight"),
        ("model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
        ("model.norm.weight", "language_model.model.norm.weight"),
    ],
)
def test_hugging_face_names_get_our_prefixes(name: str, key: str):
    assert targets(name, layout="hf") == (Target(key),)


@pytest.mark.parametrize("prefix", ["model.language_model.", "model."])
@pytest.mark.parametrize("kind", ["weight", "weight_scale", "weight_scale_inv"])
def test_an_expert_is_a_row_of_the_stack(prefix: str, kind: str):
    name = f"{prefix}layers.1.mlp.experts.17.down_proj.{kind}"
    expected = Target(f"{SWITCH}.down_proj.{kind}", expert=17)
    assert targets(name, layout="hf") == (expected,)


@pytest.mark.parametrize("ending", ["", ".weight"])
def test_fused_experts_hold_the_gate_before_the_up_projection(ending: str):
    experts = "model.language_model.layers.1.mlp.experts."
    gate, up = targets(f"{experts}gate_up_proj{ending}", layout="hf") or ()
    assert gate == Target(f"{SWITCH}.gate_proj.weight", half=0)
    assert up == Target(f"{SWITCH}.up_proj.weight", half=1)
    assert gate.shape_of([128, 2816, 4096]) == (128, 1408, 4096)
    down = targets(f"{experts}down_proj{ending}", layout="hf")
    assert down == (Target(f"{SWITCH}.down_proj.weight"),)


@pytest.mark.parametrize(
    ("name", "stored", "shape"),
    [
        ("patch_embed.proj", (1536, 3, 2, 14, 14), (1536, 2, 14, 14, 3)),
        ("downsample", (4096, 1536, 2, 2), (4096, 2, 2, 1536)),
    ],
)
def test_convolutions_become_channel_last(
    name: str, stored: tuple[int, ...], shape: tuple[int, ...]
):
    (target,) = targets(f"model.visual.{name}.weight", layout="hf") or ()
    assert target.shape_of(stored) == shape
    (target,) = targets(f"vision_tower.{name}.weight", layout="mlx") or ()
    assert target.shape_of(shape) == shape


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        (Target("x", half=0), (128,)),
        (Target("x", half=1), (128, 2815, 4096)),
        (Target("x", axes=(0, 2, 3, 1)), (4096, 1536)),
    ],
)
def test_shapes_that_cannot_be_cut_or_turned_give_none(
    target: Target, stored: tuple[int, ...]
):
    assert target.shape_of(stored) is None


@pytest.mark.parametrize(
    "name",
    [
        "language_model.model.norm.weight",
        "language_model.lm_head.scales",
        f"{SWITCH}.gate_proj.biases",
        "vision_tower.blocks.0.mlp.up_proj.weight",
    ],
)
def test_the_mlx_layout_is_our_own(name: str):
    assert targets(name, layout="mlx") == (Target(name),)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("adapter.weight", "hf"),
        ("language_model.model.norm.weight", "hf"),
        ("model.language_model.norm.weight", "mlx"),
        ("model.visual.downsample.weight", "mlx"),
        ("model.multi_modal_projector.weight", "hf"),
    ],
)
def test_unknown_names_are_told_apart(name: str, layout: str):
    assert targets(name, layout=layout) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "model.language_model.rotary_emb.inv_freq",
        "model.layers.3.self_attn.rotary_emb.inv_freq",
        "visual.rotary_pos_emb.inv_freq",
    ],
)
def test_computed_frequencies_fill_nothing(name: str):
    assert targets(name, layout="hf") == ()


def test_keys_know_their_layer_module_and_precision():
    assert layer_of(f"{LAYER}.mlp.gate.weight") == 1
    assert layer_of("vision_tower.blocks.1.norm1.weight") is None
    assert module_of(f"{SWITCH}.gate_proj.scales") == f"{SWITCH}.gate_proj"
    assert keeps_float32(f"{LAYER}.mlp.gate.weight")
    assert keeps_float32(f"{LAYER}.mlp.gate.e_score_correction_bias")
    assert not keeps_float32(f"{LAYER}.mlp.gate_proj.weight")
    assert not keeps_float32("vision_tower.merger.gate_proj.weight")
