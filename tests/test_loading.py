"""Every published form of a checkpoint becomes the same model, or a clear error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.errors import Cancelled, CheckpointError, NotEnoughMemory
from mlx_glm45v.loading import load, load_model
from mlx_glm45v.messages import Message, TextPart
from mlx_glm45v.progress import Progress
from tests.checkpoint_forms import (
    CONFIG,
    FORMS,
    Arrays,
    build,
    config_with,
    logits_of,
    parameters_of,
    per_expert,
    random_weights,
    write_folder,
)
from tests.hub.stand_in import point_to, stand_in_hub
from tests.memory.configs import HUGE, write_sparse

ROUTER = "language_model.model.layers.1.mlp.gate"
EXPERT = "model.language_model.layers.1.mlp.experts.2.up_proj.weight"
NORM = "model.language_model.norm.weight"


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(CONFIG)


@pytest.fixture(scope="module")
def expected_logits(weights: Arrays) -> np.ndarray:
    return logits_of(build(CONFIG, weights))


def assert_same(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    different = [key for key in wanted if not mx.array_equal(found[key], wanted[key])]
    assert not different


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_logits(
    weights: Arrays, expected_logits: np.ndarray, tmp_path: Path, form: Any, shards: int
):
    stored = form.stored(weights)
    write_folder(tmp_path, CONFIG, stored, format=form.format, shards=shards)
    assert_same(parameters_of(load_model(tmp_path, fuse=False)), weights)
    np.testing.assert_array_equal(logits_of(load_model(tmp_path)), expected_logits)


@settings(max_examples=15, deadline=None)
@given(
    form=st.sampled_from(list(FORMS.values())),
    shards=st.integers(1, 9),
    seed=st.integers(0, 10**6),
)
def test_splits_and_orders_of_tensors_do_not_matter(
    weights: Arrays, tmp_path_factory: Any, form: Any, shards: int, seed: int
):
    folder = write_folder(
        tmp_path_factory.mktemp("split"),
        CONFIG,
        form.stored(weights),
        format=form.format,
        shards=shards,
        seed=seed,
    )
    assert_same(parameters_of(load_model(folder, fuse=False)), weights)


def test_tied_embeddings_need_no_head(tmp_path: Path):
    config = config_with(tie_word_embeddings=True)
    weights = random_weights(config)
    assert not any("lm_head" in key for key in weights)
    write_folder(tmp_path, config, per_expert(weights))
    assert_same(parameters_of(load_model(tmp_path, fuse=False)), weights)


def test_layers_beyond_the_config_are_left_out_and_reported(
    weights: Arrays, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    beyond = {
        "model.language_model.layers.3.eh_proj.weight": mx.zeros((64, 128)),
        "model.language_model.layers.3.mlp.experts.0.up_proj.weight": mx.zeros(
            (64, 64)
        ),
    }
    write_folder(tmp_path, CONFIG, {**per_expert(weights), **beyond})
    assert_same(parameters_of(load_model(tmp_path, fuse=False)), weights)
    assert "2 tensors are left out" in caplog.text
    assert "layers.3.eh_proj" in caplog.text


# Dtypes.


def in_bf16(weights: Arrays) -> Arrays:
    return {
        key: array if "e_score" in key else array.astype(mx.bfloat16)
        for key, array in weights.items()
    }


def test_on_the_cpu_everything_becomes_float32(weights: Arrays, tmp_path: Path):
    write_folder(tmp_path, CONFIG, per_expert(in_bf16(weights)))
    device = mx.default_device()
    mx.set_default_device(mx.Device(mx.cpu))
    try:
        found = parameters_of(load_model(tmp_path, fuse=False))
    finally:
        mx.set_default_device(device)
    assert {array.dtype for array in found.values()} == {mx.float32}


@pytest.mark.parametrize("correction_dtype", [mx.float32, mx.bfloat16])
def test_the_router_stays_float32_whatever_the_dtype(
    weights: Arrays, tmp_path: Path, correction_dtype: mx.Dtype
):
    stored = in_bf16(weights)
    bias = f"{ROUTER}.e_score_correction_bias"
    stored[bias] = stored[bias].astype(correction_dtype)
    write_folder(tmp_path, CONFIG, stored, format="mlx")
    found = parameters_of(load_model(tmp_path, dtype=mx.bfloat16, fuse=False))
    float32 = {key for key, array in found.items() if array.dtype == mx.float32}
    assert float32 == {
        f"language_model.model.layers.{layer}.mlp.gate.{name}"
        for layer in (1, 2)
        for name in ("weight", "e_score_correction_bias")
    }


# Quantised.

AFFINE = {"group_size": 64, "bits": 4, "mode": "affine"}
TABLES = [
    pytest.param(AFFINE, id="affine-4"),
    pytest.param({"group_size": 64, "bits": 3}, id="before-modes-were-named"),
    pytest.param({"group_size": 32, "bits": 8, "mode": "affine"}, id="affine-8-g32"),
    pytest.param({"group_size": 32, "bits": 4, "mode": "mxfp4"}, id="mxfp4"),
    pytest.param({"group_size": 32, "bits": 8, "mode": "mxfp8"}, id="mxfp8"),
    pytest.param({"group_size": 16, "bits": 4, "mode": "nvfp4"}, id="nvfp4"),
    pytest.param(
        {
            **AFFINE,
            "language_model.model.layers.0.mlp.down_proj": {
                "group_size": 32,
                "bits": 8,
            },
            "language_model.model.layers.1.mlp.switch_mlp.down_proj": {
                "group_size": 64,
                "bits": 6,
                "mode": "affine",
            },
            "language_model.model.layers.2.self_attn.o_proj": False,
            "language_model.lm_head": {"group_size": 32, "bits": 4, "mode": "mxfp4"},
        },
        id="overrides",
    ),
]


def quantized(
    weights: Arrays, table: dict[str, Any], config: dict[str, Any] = CONFIG
) -> nn.Module:
    """The model quantised by mlx itself, as the table says."""
    model = build(config, weights)

    def scheme(path: str, module: nn.Module) -> bool | dict[str, Any]:
        if path.startswith("vision_tower") or not hasattr(module, "to_quantized"):
            return False
        entry = table.get(path, table)
        if entry is False:
            return False
        own = {name: entry[name] for name in ("group_size", "bits")}
        return {**own, "mode": entry.get("mode", "affine")}

    nn.quantize(model, class_predicate=scheme)
    return model


@pytest.mark.parametrize("table", TABLES)
def test_quantised_folders_equal_the_model_quantised_in_memory(
    weights: Arrays, tmp_path: Path, table: dict[str, Any]
):
    wanted = quantized(weights, table)
    config = config_with(quantization=table, quantization_config=table)
    write_folder(tmp_path, config, parameters_of(wanted), format="mlx", shards=2)
    found = load_model(tmp_path, fuse=False)
    assert_same(parameters_of(found), parameters_of(wanted))
    found = load_model(tmp_path)
    np.testing.assert_array_equal(logits_of(found), logits_of(wanted))
    assert np.isfinite(logits_of(found)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 8}, "needs"),
        ({"group_size": 32}, "needs"),
        ({"mode": "mxfp4", "group_size": 32}, "needs|surplus"),
        ({"mode": "gguf"}, "unknown quantisation mode 'gguf'"),
        ({"group_size": 48}, "does not fit the model"),
        ({"bits": "4"}, "needs bits and group_size"),
        ({"vision_tower.merger.proj": {"bits": 4, "group_size": 64}}, "no .scales"),
    ],
)
def test_a_quantization_table_that_contradicts_the_files_is_refused(
    weights: Arrays, tmp_path: Path, change: dict[str, Any], message: str
):
    stored = parameters_of(quantized(weights, AFFINE))
    config = config_with(quantization={**AFFINE, **change})
    write_folder(tmp_path, config, stored, format="mlx")
    with pytest.raises(CheckpointError, match=message):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "method", ["compressed-tensors", "fp8", "gptq", "awq", "bitsandbytes"]
)
@pytest.mark.parametrize("place", ["top", "text_config"])
def test_foreign_quantisations_are_refused_by_name(
    weights: Arrays, tmp_path: Path, method: str, place: str
):
    entry = {"quantization_config": {"quant_method": method, "bits": 4}}
    config = config_with(**(entry if place == "top" else {"text_config": entry}))
    write_folder(tmp_path, config, per_expert(weights))
    with pytest.raises(CheckpointError, match=f"'{method}'.*convert it first"):
        load_model(tmp_path)


# Strictness.


def without(name: str) -> Any:
    def change(stored: Arrays) -> None:
        del stored[name]

    return change


def with_array(name: str, array: mx.array) -> Any:
    def change(stored: Arrays) -> None:
        stored[name] = array

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(NORM), r"language_model\.model\.norm\.weight \[64\] is missing"),
        (without(EXPERT), r"layers\.1\.mlp\.switch_mlp\.up_proj.* missing expert 2"),
        (
            with_array(NORM, mx.zeros((65,))),
            r"model.safetensors: model.*norm.weight has shape \[65\].*\[64\]",
        ),
        (
            with_array(EXPERT, mx.zeros((64, 32))),
            r"experts.2.up_proj.* shape \[64, 32\]",
        ),
        (
            with_array("model.visual.downsample.weight", mx.zeros((64, 2, 2, 32))),
            r"downsample.weight has shape \[64, 2, 2, 32\]",
        ),
        (with_array("model.language_model.extra.weight", mx.zeros(3)), "surplus"),
        (
            with_array("adapter.weight", mx.zeros(3)),
            "adapter.weight is not a tensor of",
        ),
        (
            with_array(EXPERT.replace("experts.2", "experts.12"), mx.zeros((64, 64))),
            "surplus: the model has 12 experts",
        ),
        (
            with_array(NORM, mx.zeros(64, mx.uint8)),
            "is U8, .* needs BF16 or F16 or F32",
        ),
        (
            with_array(
                "model.language_model.layers.1.mlp.experts.down_proj",
                mx.zeros((12, 64, 64)),
            ),
            "fills .*switch_mlp.down_proj.weight again",
        ),
        (with_array("visual.post_layernorm.weight", mx.zeros(32)), "again"),
        (
            with_array("language_model.model.norm.weight", mx.zeros(64)),
            "is not a tensor of this model",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    weights: Arrays, tmp_path: Path, change: Any, message: str
):
    stored = per_expert(weights)
    change(stored)
    write_folder(tmp_path, CONFIG, stored)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_ten_differences_are_shown_and_all_are_counted(weights: Arrays, tmp_path: Path):
    stored = {n: a for n, a in per_expert(weights).items() if "visual" not in n}
    missing = sum(key.startswith("vision_tower") for key in weights)
    write_folder(tmp_path, CONFIG, stored)
    with pytest.raises(CheckpointError) as caught:
        load_model(tmp_path)
    assert f"{missing} differences" in str(caught.value)
    assert f"and {missing - 10} more" in str(caught.value)
    assert str(caught.value).count("is missing") == 10


# Memory, progress, stopping.


@pytest.mark.parametrize("form", ["per-expert", "fused", "mlx"])
def test_the_peak_stays_within_the_model_and_a_layer(tmp_path: Path, form: str):
    """Many layers, so that holding all sources at once would be seen."""
    config = config_with(text_config={"num_hidden_layers": 17, "n_routed_experts": 16})
    weights = random_weights(config)
    layer = sum(a.nbytes for key, a in weights.items() if ".layers.9." in key)
    total = sum(a.nbytes for a in weights.values())
    stored = FORMS[form].stored(weights)
    write_folder(tmp_path, config, stored, format=FORMS[form].format, shards=3)
    del stored, weights
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = load_model(tmp_path)
    assert mx.get_peak_memory() - before < total + layer
    assert mx.get_active_memory() - before < total * 1.01
    del model


def test_joining_projections_takes_no_more_than_a_layer(tmp_path: Path):
    config = config_with(
        text_config={"num_hidden_layers": 17, "n_routed_experts": 16},
        quantization=AFFINE,
    )
    wanted = parameters_of(quantized(random_weights(config), AFFINE, config))
    layer = sum(a.nbytes for key, a in wanted.items() if ".layers.9." in key)
    total = sum(a.nbytes for a in wanted.values())
    write_folder(tmp_path, config, wanted, format="mlx")
    del wanted
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = load_model(tmp_path)
    assert "qkv_proj" in model.language_model.model.layers[9].self_attn
    assert mx.get_peak_memory() - before < total + layer
    assert mx.get_active_memory() - before < total * 1.01


def test_progress_counts_bytes_to_the_end(weights: Arrays, tmp_path: Path):
    seen: list[Progress] = []
    for form in FORMS.values():
        write_folder(tmp_path, CONFIG, form.stored(weights), format=form.format)
        load_model(tmp_path, progress=seen.append)
        assert (
            seen[-1].done == seen[-1].total == sum(a.nbytes for a in weights.values())
        )


def test_stopping_ends_the_loading(weights: Arrays, tmp_path: Path):
    write_folder(tmp_path, CONFIG, per_expert(weights))
    answers = iter([False, False, True])
    with pytest.raises(Cancelled, match="stopped after"):
        load_model(tmp_path, should_stop=lambda: next(answers))


def test_loading_can_be_stopped_when_all_is_read(weights: Arrays, tmp_path: Path):
    write_folder(tmp_path, CONFIG, per_expert(weights))
    seen: list[Progress] = []
    with pytest.raises(Cancelled, match="were joined"):
        load_model(
            tmp_path,
            progress=seen.append,
            should_stop=lambda: bool(seen) and seen[-1].done == seen[-1].total,
        )


# Configs.


def test_a_config_that_does_not_fit_the_weights_shows_it(
    weights: Arrays, tmp_path: Path
):
    write_folder(
        tmp_path, config_with(text_config={"vocab_size": 300}), per_expert(weights)
    )
    with pytest.raises(
        CheckpointError, match=r"embed_tokens.* \[200, 64\].*\[300, 64\]"
    ):
        load_model(tmp_path)


def test_an_unsupported_config_value_is_named(weights: Arrays, tmp_path: Path):
    config = config_with(text_config={"hidden_act": "mystery"})
    write_folder(tmp_path, config, per_expert(weights))
    with pytest.raises(CheckpointError, match="hidden_act"):
        load_model(tmp_path)


def test_the_mlx_table_may_stand_under_quantization_config_alone(
    weights: Arrays, tmp_path: Path
):
    wanted = quantized(weights, AFFINE)
    config = config_with(quantization_config=AFFINE)
    write_folder(tmp_path, config, parameters_of(wanted), format="mlx")
    assert_same(parameters_of(load_model(tmp_path, fuse=False)), parameters_of(wanted))
    assert json.loads((tmp_path / "config.json").read_text()) == config


# With the processor.


@pytest.fixture
def whole_folder(demo_folder: Path, tmp_path: Path) -> Path:
    """The demo's configs and tokenizer beside random weights."""
    for file in demo_folder.glob("*.json*"):
        if not file.name.startswith("model."):
            shutil.copy(file, tmp_path)
    shutil.copy(demo_folder / "chat_template.jinja", tmp_path)
    config = json.loads((demo_folder / "config.json").read_text())
    return write_folder(tmp_path, config, per_expert(random_weights(config)))


def test_load_brings_a_model_and_the_processor_that_fits(whole_folder: Path):
    model, processor = load(whole_folder)
    prompt = processor.prompt([Message("user", (TextPart("Hello"),))])
    logits = model(input_ids=mx.array(prompt.token_ids)[None]).logits
    assert logits.shape[1] == len(prompt.token_ids)


def test_a_repository_that_cannot_be_run_is_refused_before_its_weights_are_fetched(
    whole_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
):
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    path = whole_folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors"}
    path.write_text(json.dumps(config))
    files = {file.name: file.read_bytes() for file in whole_folder.iterdir()}
    with stand_in_hub({"some/model-FP8": files}) as hub:
        point_to(hub, monkeypatch)
        with pytest.raises(CheckpointError, match="'compressed-tensors'"):
            load("some/model-FP8")
        assert not any(path.endswith(".safetensors") for path, _ in hub.seen)


# Memory.


def test_what_does_not_fit_is_refused_before_a_weight_is_read(tmp_path: Path):
    folder = write_sparse(tmp_path, HUGE)
    with pytest.raises(NotEnoughMemory, match=r"needs [\d,.]+ GB(.|\n)*weights"):
        load_model(folder)


def test_force_goes_on_all_the_same(tmp_path: Path):
    folder = write_sparse(tmp_path, HUGE)
    with pytest.raises(Cancelled):
        load_model(folder, force=True, should_stop=lambda: True)


def test_a_repository_that_does_not_fit_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    files = {"config.json": json.dumps(HUGE).encode(), "model.safetensors": b"weights"}
    with stand_in_hub({"some/huge": files}) as hub:
        point_to(hub, monkeypatch)
        with pytest.raises(NotEnoughMemory):
            load("some/huge")
        assert not any(path.endswith(".safetensors") for path, _ in hub.seen)
