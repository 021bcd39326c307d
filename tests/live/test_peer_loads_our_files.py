"""Files cross between this library and mlx-vlm in both directions, logits unchanged.

Runs where mlx-vlm is installed. Both compute in float32 here: on MLX's CPU backend
quantised products of bfloat16 are off by 7 %.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_glm45v import load_model
from mlx_glm45v.checkpoints import read_config
from mlx_glm45v.conversion.pipeline import convert
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.parameters.recipes import RECIPES
from tests.checkpoint_forms import (
    Arrays,
    config_with,
    fused,
    mlx_layout,
    older,
    parameters_of,
    per_expert,
    random_weights,
)
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    Raw,
    fp8_by_block,
    fp8_by_row,
    in_bf16,
    raws,
    read_arrays,
    write_source,
)

peer_utils = pytest.importorskip("mlx_vlm.utils")
peer_convert = pytest.importorskip("mlx_vlm.convert")

TEXT = [5, 9, 3, 77, 120, 8, 41, 41, 6, 100, 2, 19]
# mlx-vlm takes the start of a picture from this name, has no defaults for what follows,
# and knows one eps for the tower's blocks: 1e-6, whatever the config says.
RANDOM = config_with(
    vision_start_token_id=192,
    text_config={
        "dtype": "bfloat16",
        "n_routed_experts": 4,
        "max_position_embeddings": 4096,
        "norm_topk_prob": True,
        "n_group": 1,
        "topk_group": 1,
        "routed_scaling_factor": 1.5,
        "rms_norm_eps": 1e-5,
        "use_qk_norm": False,
    },
)
RANDOM["vision_config"].update(rms_norm_eps=1e-6, patch_size=14)
ORIGINS = ("demo", "random")
SMALL_FILES = (
    "chat_template.jinja",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


def _float_form(layout: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Any]:
    return lambda weights: ({}, raws(layout(in_bf16(weights))))


def _by_row(weights: Arrays) -> tuple[dict[str, Any], Mapping[str, Raw]]:
    return {"quantization_config": COMPRESSED_TENSORS}, fp8_by_row(weights)[0]


def _by_block(weights: Arrays) -> tuple[dict[str, Any], Mapping[str, Raw]]:
    table = {"quant_method": "fp8", "weight_block_size": [32, 32]}
    stored, _ = fp8_by_block(weights, block=(32, 32))
    return {"quantization_config": table}, stored


# Each gives what config.json gains, and the stored tensors.
FORMS: dict[str, Callable[[Arrays], tuple[dict[str, Any], Mapping[str, Raw]]]] = {
    "per-expert": _float_form(per_expert),
    "fused": _float_form(fused),
    "older": _float_form(older),
    "mlx": _float_form(mlx_layout),
    "fp8 by row": _by_row,
    "fp8 by block": _by_block,
}


@pytest.fixture(scope="module")
def origins(demo_folder: Path) -> dict[str, tuple[dict[str, Any], Arrays]]:
    """Config and float32 weights: trained ones, and random ones."""
    return {
        "demo": (
            read_config(demo_folder),
            parameters_of(load_model(demo_folder, fuse=False)),
        ),
        "random": (RANDOM, random_weights(RANDOM)),
    }


@pytest.fixture(scope="module")
def source(
    origins: dict[str, tuple[dict[str, Any], Arrays]],
    demo_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], Path]:
    """The folder of an origin in a form, over three shards; made once."""
    made: dict[tuple[str, str], Path] = {}

    def make(origin: str, form: str) -> Path:
        if (origin, form) not in made:
            config, weights = origins[origin]
            more, stored = FORMS[form](weights)
            folder = write_source(
                tmp_path_factory.mktemp(origin),
                {**config, **more},
                stored,
                format="mlx" if form == "mlx" else "pt",
                shards=3,
                seed=1,
            )
            for name in SMALL_FILES:
                shutil.copy(demo_folder / name, folder)
            made[origin, form] = folder
        return made[origin, form]

    return make


def peer_model(folder: Path) -> Any:
    """mlx-vlm's model, every parameter of it from the files."""
    model = peer_utils.load_model(folder)
    names = {name for name, _ in tree_flatten(model.parameters())}
    assert names == set(read_arrays(folder))
    model.set_dtype(mx.float32)
    return model


def peer_logits(model: Any, ids: list[int], **picture: mx.array) -> np.ndarray:
    return np.array(model(mx.array([ids]), **picture).logits)


def our_logits(
    model: Glm4vMoeForConditionalGeneration, ids: list[int], **picture: Any
) -> np.ndarray:
    return np.array(model(input_ids=mx.array([ids]), **picture).logits)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 2e-5 * expected.std()


def assert_both_agree(folder: Path) -> None:
    """Both load a folder strictly and compute the same from it."""
    ours = load_model(folder)
    assert_same(peer_logits(peer_model(folder), TEXT), our_logits(ours, TEXT))


# Ours to theirs.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_form_converts_to_what_mlx_vlm_reads_the_same(
    tmp_path: Path, source: Callable[[str, str], Path], origin: str, form: str
) -> None:
    folder = tmp_path / "converted"
    convert(source(origin, form), folder, recipe="4bit")
    assert_both_agree(folder)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_as_floats_is_the_same_in_mlx_vlm(
    tmp_path: Path, source: Callable[[str, str], Path], form: str
) -> None:
    folder = tmp_path / "converted"
    convert(source("random", form), folder, dequantize=form.startswith("fp8"))
    assert_both_agree(folder)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_recipe_is_the_same_in_mlx_vlm(
    tmp_path: Path, source: Callable[[str, str], Path], origin: str, recipe: str
) -> None:
    folder = tmp_path / "converted"
    convert(source(origin, "per-expert"), folder, recipe=recipe)
    assert_both_agree(folder)


@pytest.mark.parametrize("recipe", ["mac-64gb", "2bit"])
def test_searched_scales_are_the_same_in_mlx_vlm(
    tmp_path: Path, source: Callable[[str, str], Path], recipe: str
) -> None:
    folder = tmp_path / "converted"
    convert(source("demo", "per-expert"), folder, recipe=recipe, search=True)
    assert_both_agree(folder)


@pytest.mark.parametrize("vision", [None, 8])
def test_a_quantised_tower_is_the_same_in_mlx_vlm(
    tmp_path: Path, source: Callable[[str, str], Path], vision: int | None
) -> None:
    """With a picture of the position table's own size: others it samples coarsely."""
    folder = tmp_path / "converted"
    recipe = RECIPES["6bit"].with_group_size(32).with_vision(vision)
    convert(source("random", "per-expert"), folder, recipe=recipe)
    quantised = "vision_tower.blocks.0.attn.qkv.scales" in read_arrays(folder)
    assert quantised == (vision is not None)
    pixels = np.random.default_rng(3).standard_normal((16, 1176)).astype(np.float32)
    ids = [1, 2, 192, *[190] * 4, 193, 17, 42, 5]
    grid = (1, 4, 4)
    theirs = peer_logits(
        peer_model(folder),
        ids,
        pixel_values=mx.array(pixels),
        image_grid_thw=mx.array([grid]),
    )
    ours = our_logits(
        load_model(folder), ids, pixel_values=mx.array(pixels), image_grid_thw=[grid]
    )
    assert_same(theirs, ours)


# Theirs to ours.

PEERS_OPTIONS: dict[str, dict[str, Any]] = {
    "bfloat16": {},
    "float32": {"dtype": "float32"},
    **{f"{bits} bit": {"quantize": True, "q_bits": bits} for bits in (2, 3, 4, 6, 8)},
    "group 32": {"quantize": True, "q_group_size": 32},
    **{
        mode: {"quantize": True, "q_mode": mode, "q_bits": None, "q_group_size": None}
        for mode in ("mxfp4", "mxfp8", "nvfp4")
    },
    "mixed": {"quantize": True, "quant_predicate": "mixed_3_6"},
}


def converted_by_peer(folder: Path, target: Path, options: dict[str, Any]) -> Path:
    peer_convert.convert(str(folder), str(target), **options)
    return target


@pytest.mark.parametrize("options", PEERS_OPTIONS)
@pytest.mark.parametrize("origin", ORIGINS)
def test_what_mlx_vlm_converts_is_the_same_here(
    tmp_path: Path, source: Callable[[str, str], Path], origin: str, options: str
) -> None:
    folder = converted_by_peer(
        source(origin, "per-expert"), tmp_path / "theirs", PEERS_OPTIONS[options]
    )
    assert_both_agree(folder)


@pytest.mark.parametrize("options", ["4 bit", "mxfp4", "mixed"])
def test_what_mlx_vlm_quantised_becomes_floats_and_other_bits_here(
    tmp_path: Path, source: Callable[[str, str], Path], options: str
) -> None:
    theirs = converted_by_peer(
        source("random", "per-expert"), tmp_path / "theirs", PEERS_OPTIONS[options]
    )
    convert(theirs, tmp_path / "floats", dequantize=True, dtype="float32")
    floats = load_model(tmp_path / "floats")
    assert_same(our_logits(floats, TEXT), peer_logits(peer_model(theirs), TEXT))
    convert(theirs, tmp_path / "other", recipe="8bit")
    assert_both_agree(tmp_path / "other")


def test_what_we_quantised_becomes_floats_in_mlx_vlm(
    tmp_path: Path, source: Callable[[str, str], Path]
) -> None:
    ours = tmp_path / "ours"
    convert(source("random", "per-expert"), ours, recipe="4bit")
    theirs = converted_by_peer(ours, tmp_path / "theirs", {"dequantize": True})
    assert_both_agree(theirs)
