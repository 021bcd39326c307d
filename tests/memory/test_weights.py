"""Bytes of weights: published sizes, the converter's, and those really loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.conversion.sizes import measure
from mlx_glm45v.loading import load_model
from mlx_glm45v.memory import recipe_bytes, weight_bytes, weight_bytes_of_files
from mlx_glm45v.parameters.recipes import RECIPES, Recipe
from mlx_glm45v.parameters.shapes import parameter_shapes
from tests.checkpoint_forms import (
    CONFIG,
    FORMS,
    Form,
    config_with,
    parameters_of,
    per_expert,
    random_weights,
    write_folder,
)
from tests.memory.configs import affine, glm45v


@pytest.mark.parametrize(
    ("table", "gigabytes"),
    [
        (None, 215.42),
        (affine(3), 48.5),
        (affine(4), 61.9),
        (affine(5), 75.2),
        (affine(6), 88.6),
        (affine(8), 115.3),
        ({"group_size": 64, "bits": 4}, 61.9),
    ],
)
def test_sizes_of_the_published_conversions(table: Any, gigabytes: float):
    assert weight_bytes(glm45v(), table) / 1e9 == pytest.approx(gigabytes, rel=0.002)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_recipes_take_what_the_converter_says(recipe: Recipe):
    config = glm45v()
    assert recipe_bytes(config, recipe) == measure(config, recipe).total_bytes


@pytest.mark.parametrize("name", ["4bit", "mac-64gb", "mixed_3_6", "nvfp4"])
def test_a_table_of_entries_is_the_recipe_that_wrote_it(name: str):
    config, recipe = glm45v(), RECIPES[name]
    table: dict[str, Any] = affine(8)
    for key, shape in parameter_shapes(config).items():
        module = key.removesuffix(".weight")
        if module != key and "vision" not in key:
            layers = config.text_config.num_hidden_layers
            scheme = recipe.scheme_for(module, shape, num_hidden_layers=layers)
            table[module] = scheme.entry() if scheme else False
    assert weight_bytes(config, table) == recipe_bytes(config, recipe)


def test_the_tower_is_plain_unless_its_modules_are_named():
    module = "vision_tower.blocks.0.mlp.up_proj"
    numbers = 4096 * 1536
    plain = weight_bytes(glm45v(), affine(4))
    named = weight_bytes(glm45v(), affine(4, **{module: {"group_size": 64, "bits": 8}}))
    assert plain - named == numbers * 2 - numbers - numbers // 64 * 4


@pytest.mark.parametrize("table", [{"bits": 4}, affine(7), {**affine(4), "mode": "x"}])
def test_a_table_that_is_not_mlxs_is_refused(table: Mapping[str, Any]):
    with pytest.raises(ValueError, match=r"bits|mode"):
        weight_bytes(glm45v(), table)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16], ids=str)
def test_headers_tell_what_loading_will_take(
    tmp_path: Path, form: Form, dtype: mx.Dtype
):
    stored = form.stored(random_weights(CONFIG))
    write_folder(tmp_path, CONFIG, stored, format=form.format, shards=2)
    assert_told(tmp_path, CONFIG, dtype)


def test_what_loading_leaves_out_is_not_counted(tmp_path: Path):
    beyond = {"model.language_model.layers.3.eh_proj.weight": mx.zeros((64, 128))}
    head = {"lm_head.weight": mx.zeros((200, 64))}
    config = config_with(tie_word_embeddings=True)
    stored = {**per_expert(random_weights(config)), **beyond, **head}
    write_folder(tmp_path, config, stored)
    assert_told(tmp_path, config, mx.float32)


@pytest.mark.parametrize("bits", [3, 8])
def test_quantised_files_and_their_table_tell_the_same(tmp_path: Path, bits: int):
    table = affine(bits)
    stored = {}
    for key, weight in random_weights(CONFIG).items():
        module, _, suffix = key.rpartition(".")
        plain = "vision" in key or ".mlp.gate." in key or weight.shape[-1] % 64
        if suffix != "weight" or weight.ndim < 2 or plain:
            stored[key] = weight
            continue
        packed = mx.quantize(weight, group_size=64, bits=bits)
        for name, array in zip(("weight", "scales", "biases"), packed, strict=True):
            stored[f"{module}.{name}"] = array
    config = {**CONFIG, "quantization": table}
    write_folder(tmp_path, config, stored, format="mlx")
    told = assert_told(tmp_path, config, mx.float32)
    assert weight_bytes(Glm4vMoeConfig.from_dict(CONFIG), table, float_bytes=4) == told


def assert_told(folder: Path, raw: Mapping[str, Any], dtype: mx.Dtype) -> int:
    told = weight_bytes_of_files(
        read_checkpoint(folder),
        Glm4vMoeConfig.from_dict(raw),
        float_bytes=dtype.size,
    )
    loaded = parameters_of(load_model(folder, dtype=dtype, fuse=False))
    assert told == sum(array.nbytes for array in loaded.values())
    return told
