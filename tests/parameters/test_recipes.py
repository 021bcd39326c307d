from __future__ import annotations

from itertools import pairwise

import mlx.nn as nn
import pytest
from mlx_lm.convert import mixed_quant_predicate_builder

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.model.weights import module_of
from mlx_glm45v.parameters.kinds import KINDS, kind_of
from mlx_glm45v.parameters.recipes import (
    BITS,
    FP_MODES,
    RECIPES,
    Mode,
    Recipe,
    Scheme,
    find_recipe,
    floating,
    mixed,
    uniform,
)
from mlx_glm45v.parameters.shapes import parameter_shapes
from tests.checkpoint_forms import CONFIG, config_with

LAYERS = 46
TIERS = ("mac-64gb", "mac-96gb", "mac-128gb", "mac-192gb")
ATTENTION = "language_model.model.layers.3.self_attn.q_proj"
DOWN = "language_model.model.layers.{}.mlp.switch_mlp.down_proj"


def bits_of(recipe: Recipe, module: str, layers: int = LAYERS) -> int | None:
    scheme = recipe.scheme_for(module, (256, 256), num_hidden_layers=layers)
    return scheme and scheme.bits


@pytest.mark.parametrize("bits", BITS)
def test_uniform_quantises_all_of_the_decoder_but_router_and_norms(bits: int):
    shapes = parameter_shapes(Glm4vMoeConfig.from_dict(CONFIG))
    found: dict[str, set[int | None]] = {kind: set() for kind in KINDS}
    for key, shape in shapes.items():
        if key.endswith(".weight"):
            module = module_of(key)
            scheme = RECIPES[f"{bits}bit"].scheme_for(
                module, shape, num_hidden_layers=3
            )
            found[kind_of(module)].add(scheme and scheme.bits)
    plain = {"router", "norm", "patches", "vision"}
    assert found == {kind: {None if kind in plain else bits} for kind in KINDS}


@pytest.mark.parametrize("mode", FP_MODES)
def test_floating_point_recipes_have_the_formats_bits_and_groups(mode: str):
    scheme = RECIPES[mode].scheme_for(ATTENTION, (64, 96), num_hidden_layers=LAYERS)
    assert scheme is not None
    assert (scheme.mode, scheme.bits, scheme.group_size) == (mode, *FP_MODES[mode])


@pytest.mark.parametrize("name", TIERS)
def test_tiers_spend_bits_where_they_count(name: str):
    table = RECIPES[name].table
    above = {bits: BITS[BITS.index(bits) + 1] for bits in BITS[:-1]}
    assert table["expert_gate"] == table["expert_up"]
    assert table["expert_down"] == above[table["expert_gate"]]
    assert table["attention"] in (5, 6)
    assert table["shared"] == table["dense"]
    assert table["shared"] in (6, 8)
    assert table["head"] == 6
    assert table["embeddings"] in (6, 8)
    assert "vision" not in table


def test_no_kind_loses_bits_from_one_tier_to_the_next():
    tables = [RECIPES[name].table for name in TIERS]
    for smaller, larger in pairwise(tables):
        assert smaller.keys() == larger.keys()
        assert all(bits <= larger[kind] for kind, bits in smaller.items())


@pytest.mark.parametrize(
    ("group_size", "columns", "taken"),
    [
        (64, 4096, 64),
        (64, 10944, 64),
        (128, 4096, 128),
        (128, 10944, 64),
        (64, 96, 32),
        (32, 128, 32),
        (64, 100, None),
    ],
)
def test_the_largest_group_that_divides_the_rows_is_taken(
    group_size: int, columns: int, taken: int | None
):
    recipe = uniform(4, group_size=group_size)
    module = "language_model.model.layers.0.mlp.down_proj"
    scheme = recipe.scheme_for(module, (8, columns), num_hidden_layers=LAYERS)
    assert (scheme and scheme.group_size) == taken


@pytest.mark.parametrize("mode", FP_MODES)
def test_rows_that_a_floating_point_mode_cannot_pack_stay_plain(mode: Mode):
    recipe = floating(mode)
    assert recipe.scheme_for(ATTENTION, (8, 48), num_hidden_layers=LAYERS) is None


# With 46 layers: the first 5, from 40 on, and 7, 10, ... 37 between.
RAISED = {*range(5), *range(40, 46), *range(7, 40, 3)}


@pytest.mark.parametrize(("low", "high"), [(2, 6), (3, 4), (3, 6), (4, 6)])
def test_mixed_recipes_raise_some_layers_as_mlx_lm_does(low: int, high: int):
    recipe = RECIPES[f"mixed_{low}_{high}"]
    attention = "language_model.model.layers.{}.self_attn.{}"
    for layer in range(LAYERS):
        expected = high if layer in RAISED else low
        assert bits_of(recipe, DOWN.format(layer)) == expected
        assert bits_of(recipe, attention.format(layer, "v_proj")) == expected
        for name in ("q_proj", "k_proj", "o_proj"):
            assert bits_of(recipe, attention.format(layer, name)) == low
    assert bits_of(recipe, "language_model.lm_head") == high
    assert bits_of(recipe, "language_model.model.embed_tokens") == low


class Decoder(nn.Module):
    """The part of the model whose modules mlx-lm would see, with its `layers`."""

    @property
    def layers(self) -> list[nn.Module]:
        return self.language_model.model.layers


@pytest.mark.parametrize("name", ["mixed_2_6", "mixed_3_4", "mixed_3_6", "mixed_4_6"])
def test_mixed_recipes_say_what_mlx_lms_predicate_says(name: str):
    config = Glm4vMoeConfig.from_dict(config_with(text_config={"num_hidden_layers": 9}))
    model = Decoder()
    model.language_model = Glm4vMoeForConditionalGeneration(config).language_model
    theirs = mixed_quant_predicate_builder(name, model, 64)
    for path, module in model.named_modules():
        if hasattr(module, "to_quantized"):
            asked = theirs(path, module)
            ours = RECIPES[name].scheme_for(path, (8, 64), num_hidden_layers=9)
            assert ours is not None
            assert ours.entry() == asked, path


@pytest.mark.parametrize(("layers", "raised"), [(3, {2}), (8, {0, 3, 6, 7}), (1, {0})])
def test_mixed_recipes_count_from_the_number_of_layers(layers: int, raised: set[int]):
    recipe = mixed(3, 6)
    found = {
        layer
        for layer in range(layers)
        if bits_of(recipe, DOWN.format(layer), layers) == 6
    }
    assert found == raised


def test_what_a_mixed_recipe_raises_is_in_the_decoder():
    recipe = mixed(3, 6).with_vision(8)
    assert bits_of(recipe, "vision_tower.merger.down_proj") == 8
    assert bits_of(recipe, "vision_tower.blocks.0.mlp.down_proj") == 8


def test_vision_is_quantised_on_request_only_in_its_linear_layers():
    recipe = RECIPES["mac-96gb"]
    asked = recipe.with_vision(8)
    assert bits_of(recipe, "vision_tower.blocks.0.attn.qkv") is None
    assert bits_of(asked, "vision_tower.blocks.0.attn.qkv") == 8
    position = "vision_tower.embeddings.position_embedding"
    assert bits_of(asked, position) is None
    assert asked.with_vision(None).table == recipe.table


@pytest.mark.parametrize("kind", ["router", "norm", "patches"])
def test_what_is_never_quantised_has_no_place_in_a_table(kind: str):
    with pytest.raises(ValueError, match=f"recipe mine: {kind} cannot be quantised"):
        Recipe("mine", "", {kind: 4})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((7,), "affine has 2, 3, 4, 5, 6, 8 bits, not 7"),
        ((4, 48), "affine has groups of 32, 64, 128, not 48"),
        ((4, 64, "mxfp4"), "mxfp4 has 4 bits and groups of 32, not 4 and 64"),
        ((4, 32, "int4"), "unknown mode 'int4'; known are affine, mxfp4"),
    ],
)
def test_a_scheme_that_mlx_does_not_have_is_refused(values: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Scheme(*values)


def test_a_group_size_can_be_asked_for_where_the_mode_leaves_it_open():
    assert RECIPES["mac-64gb"].with_group_size(32).group_size == 32
    with pytest.raises(ValueError, match="nvfp4 has 4 bits and groups of 16"):
        RECIPES["nvfp4"].with_group_size(32)


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no recipe 'q4_k_m'; there are 2bit, 3bit"):
        find_recipe("q4_k_m")


def test_every_recipe_is_found_by_its_name_and_says_what_it_is():
    for name, recipe in RECIPES.items():
        assert find_recipe(name) is recipe
        assert recipe.name == name
        assert 10 < len(recipe.summary) < 80


def test_an_entry_is_what_mlx_reads():
    assert Scheme(4).entry() == {"group_size": 64, "bits": 4, "mode": "affine"}
