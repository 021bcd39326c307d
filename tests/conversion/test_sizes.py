from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.conversion.sizes import Sizes, measure
from mlx_glm45v.memory import estimate_footprint
from mlx_glm45v.parameters.recipes import RECIPES, uniform
from tests.checkpoint_forms import CONFIG, config_with, random_weights

GIB = 2**30
# GLM-4.5V's own values where they are not this library's defaults.
GLM45V = Glm4vMoeConfig.from_dict(
    {
        "text_config": {
            "vocab_size": 151552,
            "hidden_size": 4096,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "num_hidden_layers": 46,
            "num_attention_heads": 96,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "n_routed_experts": 128,
            "num_experts_per_tok": 8,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
            "attention_bias": True,
        },
        "vision_config": {
            "depth": 24,
            "hidden_size": 1536,
            "out_hidden_size": 4096,
            "intermediate_size": 10944,
            "image_size": 336,
            "patch_size": 14,
        },
    }
)
TINY = Glm4vMoeConfig.from_dict(CONFIG)


@pytest.mark.parametrize(
    ("recipe", "published"),
    [("3bit", 48.5), ("4bit", 61.9), ("5bit", 75), ("6bit", 88.6), ("8bit", 115.3)],
)
def test_uniform_recipes_have_the_published_sizes(recipe: str, published: float):
    sizes = measure(GLM45V, RECIPES[recipe])
    assert sizes.total_bytes == pytest.approx(published * 1e9, rel=0.01)


def test_unquantised_weights_are_the_published_bytes_and_a_float32_router():
    router_weights = 45 * 128 * 4096 * 2
    sizes = measure(GLM45V, None)
    assert sizes.parameters == 107_710_933_120
    assert sizes.total_bytes == 215_421_877_760 + router_weights


def test_a_4_bit_weight_costs_half_a_bit_for_scale_and_bias():
    sizes = measure(GLM45V, RECIPES["4bit"])
    experts = 45 * 128 * 4096 * 1408
    assert sizes.by_kind["expert_down"] == experts * 4.5 / 8
    assert sizes.bits_per_weight == pytest.approx(4.6, abs=0.01)


@pytest.mark.parametrize(
    ("recipe", "gigabytes"), [(None, 25.65), ("4bit", 7.28), ("8bit", 13.67)]
)
def test_a_token_reads_eight_experts_and_all_else_but_tower_and_embeddings(
    recipe: str | None, gigabytes: float
):
    sizes = measure(GLM45V, recipe and RECIPES[recipe])
    assert sizes.bytes_per_token == pytest.approx(gigabytes * 1e9, rel=0.002)


def test_a_tied_head_reads_the_embeddings():
    def bytes_of(tied: bool) -> Sizes:
        config = config_with(tie_word_embeddings=tied)
        return measure(Glm4vMoeConfig.from_dict(config), RECIPES["4bit"])

    apart, tied = bytes_of(False), bytes_of(True)
    assert "head" not in tied.by_kind
    assert tied.bytes_per_token == apart.bytes_per_token


def test_float32_doubles_all_but_the_router():
    half, single = measure(TINY, None), measure(TINY, None, dtype=mx.float32)
    assert single.by_kind["router"] == half.by_kind["router"]
    assert single.total_bytes - half.by_kind["router"] == 2 * (
        half.total_bytes - half.by_kind["router"]
    )


def test_sizes_are_what_the_arrays_of_a_model_hold():
    weights = random_weights(CONFIG)
    assert measure(TINY, None, dtype=mx.float32).total_bytes == sum(
        array.nbytes for array in weights.values()
    )


def test_smaller_groups_cost_more_and_group_128_falls_back_where_it_must():
    sizes = [
        measure(GLM45V, uniform(4, group_size=size)).total_bytes
        for size in (32, 64, 128)
    ]
    assert sizes == sorted(sizes, reverse=True)
    down = 4096 * 10944
    dense = measure(GLM45V, uniform(4, group_size=128)).by_kind["dense"]
    assert dense == down * (2 * 4.25 + 4.5) / 8


@pytest.mark.parametrize(
    ("recipe", "memory", "context"),
    [
        ("mac-64gb", 64, 16_384),
        ("mac-96gb", 96, 16_384),
        ("mac-128gb", 128, 65_536),
        ("mac-192gb", 192, 65_536),
    ],
)
def test_a_tier_leaves_its_mac_room_for_context_and_a_picture(
    recipe: str, memory: int, context: int
):
    footprint = estimate_footprint(
        GLM45V,
        weights=measure(GLM45V, RECIPES[recipe]).total_bytes,
        context=context,
        images=1,
        image_tokens=1080 * 1920 // 28**2,
    )
    assert footprint.total < memory * GIB * 3 // 4
    assert f"{context // 1024}k context" in RECIPES[recipe].summary


@pytest.mark.parametrize(
    ("tier", "plain"), [("mac-96gb", "4bit"), ("mac-128gb", "5bit")]
)
def test_a_tier_keeps_more_than_the_uniform_recipe_below_it(tier: str, plain: str):
    better = measure(GLM45V, RECIPES[tier]).bits_per_weight
    assert better > measure(GLM45V, RECIPES[plain]).bits_per_weight


def test_vision_at_8_bits_saves_what_eight_of_sixteen_bits_are():
    plain = measure(GLM45V, RECIPES["4bit"]).by_kind
    eight = measure(GLM45V, RECIPES["4bit"].with_vision(8)).by_kind
    assert eight["vision"] / plain["vision"] == pytest.approx(8.5 / 16)
    assert eight["patches"] == plain["patches"]
