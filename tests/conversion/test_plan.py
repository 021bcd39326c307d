"""A plan follows from headers and wishes; what cannot be read is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.checkpoints import Checkpoint, read_checkpoint
from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.conversion.layout import Array, index_document, lay_out
from mlx_glm45v.conversion.plan import Plan, make_plan
from mlx_glm45v.conversion.recipe_table import released
from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.parameters.recipes import find_recipe
from mlx_glm45v.parameters.shapes import parameter_shapes, size_of
from mlx_glm45v.safetensors_header import TensorInfo, read_header
from tests.checkpoint_forms import (
    FORMS,
    Arrays,
    config_with,
    fused,
    per_expert,
    random_weights,
)
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    Raw,
    fp8_by_block,
    fp8_by_row,
    in_bf16,
    raw,
    raws,
    write_source,
)

GATE = "language_model.model.layers.1.mlp.switch_mlp.gate_proj"
HEAD = "language_model.lm_head"


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(SMALL)


def plan_of(folder: Path, recipe: str | None = "4bit", **wishes: Any) -> Plan:
    return make_plan(
        read_checkpoint(folder),
        recipe=find_recipe(recipe) if recipe else None,
        **wishes,
    )


def places(plan: Plan) -> list[tuple[object, ...]]:
    """Where every array lies, as values."""
    return [
        (slot.array.name, slot.array.dtype, slot.array.shape, slot.file, slot.start)
        for parameter in plan.parameters
        for slot in parameter.slots
    ]


# The output.


@settings(max_examples=20, deadline=None)
@given(
    form=st.sampled_from(list(FORMS.values())),
    shards=st.integers(1, 7),
    seed=st.integers(0, 10**6),
)
def test_the_output_does_not_depend_on_how_the_source_is_spread(
    weights: Arrays,
    tmp_path_factory: pytest.TempPathFactory,
    form: Any,
    shards: int,
    seed: int,
):
    folder = write_source(
        tmp_path_factory.mktemp("spread"),
        SMALL,
        raws(form.stored(weights)),
        format=form.format,
        shards=shards,
        seed=seed,
    )
    plain = write_source(
        tmp_path_factory.mktemp("plain"), SMALL, raws(per_expert(weights))
    )
    plan, wanted = plan_of(folder), plan_of(plain)
    assert places(plan) == places(wanted)
    assert plan.digest() == wanted.digest()
    assert [p.span.first_row for p in plan.pieces] == [
        p.span.first_row for p in wanted.pieces
    ]


def test_pieces_cover_every_row_once(weights: Arrays, tmp_path: Path):
    for number, form in enumerate(FORMS.values()):
        folder = tmp_path / str(number)
        write_source(folder, SMALL, raws(form.stored(weights)), format=form.format)
        plan = plan_of(folder)
        for parameter in plan.parameters:
            row = 0
            for span in parameter.spans:
                assert span.first_row == row
                assert span.source_row + span.rows <= span.source_rows
                row += span.rows
            assert row * parameter.spans[0].columns == np.prod(parameter.shape)
        stored = sum(info.nbytes for info in plan.checkpoint.tensors.values())
        assert plan.bytes_to_read == stored


def test_modules_are_stored_as_the_recipe_says(weights: Arrays, tmp_path: Path):
    write_source(tmp_path, SMALL, raws(in_bf16(per_expert(weights))))
    plan = plan_of(tmp_path, "mac-64gb")
    found = {
        slot.array.name: (slot.array.dtype, slot.array.shape)
        for parameter in plan.parameters
        for slot in parameter.slots
    }
    assert found[f"{GATE}.weight"] == ("U32", (4, 64, 4))
    assert found[f"{GATE}.scales"] == ("BF16", (4, 64, 1))
    assert found[f"{GATE}.biases"] == ("BF16", (4, 64, 1))
    assert found[f"{HEAD}.weight"] == ("U32", (196, 12))
    router = "language_model.model.layers.1.mlp.gate"
    assert found[f"{router}.weight"] == ("F32", (4, 64))
    assert found[f"{router}.e_score_correction_bias"] == ("F32", (4,))
    assert found["vision_tower.merger.proj.weight"] == ("BF16", (64, 64))
    assert f"{router}.scales" not in found


@pytest.mark.parametrize(
    ("in_config", "asked", "wanted"),
    [
        ("bfloat16", None, "BF16"),
        ("float16", None, "F16"),
        (None, None, "F32"),
        ("bfloat16", "float32", "F32"),
        ("float32", "bfloat16", "BF16"),
    ],
)
def test_floats_have_the_dtype_asked_for_or_the_configs_or_the_files(
    weights: Arrays,
    tmp_path: Path,
    in_config: str | None,
    asked: str | None,
    wanted: str,
):
    config = config_with(text_config={**SMALL["text_config"], "dtype": in_config})
    write_source(tmp_path, config, raws(per_expert(weights)))
    plan = plan_of(tmp_path, None, dtype=asked)
    norm = next(p for p in plan.parameters if p.key.endswith("model.norm.weight"))
    assert norm.slots[0].array.dtype == wanted
    name = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[wanted]
    assert plan.config["dtype"] == plan.config["text_config"]["dtype"] == name


def test_layers_beyond_the_config_are_left_out(weights: Arrays, tmp_path: Path):
    beyond = "model.language_model.layers.2.eh_proj.weight"
    stored = {**raws(per_expert(weights)), beyond: raw(np.ones((3, 4), np.float32))}
    config = config_with(
        text_config={**SMALL["text_config"], "num_nextn_predict_layers": 1}
    )
    write_source(tmp_path, config, stored)
    plan = plan_of(tmp_path)
    assert plan.dropped == (beyond,)
    assert plan.config["text_config"]["num_nextn_predict_layers"] == 0


# The config.


def test_the_config_has_every_readers_spelling(weights: Arrays, tmp_path: Path):
    write_source(tmp_path, SMALL, raws(per_expert(weights)))
    config = plan_of(tmp_path).config
    text = config["text_config"]
    assert text["use_qk_norm"] is False
    assert text["partial_rotary_factor"] == 0.5
    assert text["rope_theta"] == text["rope_parameters"]["rope_theta"] == 10000.0
    assert text["rope_scaling"]["mrope_section"] == [2, 3, 3]
    assert config["vision_config"]["model_type"] == "glm4v_moe_vision"
    assert config["quantization"] == config["quantization_config"]
    again = Glm4vMoeConfig.from_dict(json.loads(json.dumps(config)))
    ours = Glm4vMoeConfig.from_dict(SMALL)
    assert again.text_config.rope_parameters == ours.text_config.rope_parameters


def test_the_table_names_the_modules_that_differ(weights: Arrays, tmp_path: Path):
    write_source(tmp_path, SMALL, raws(per_expert(weights)))
    assert plan_of(tmp_path, "4bit").config["quantization"] == {
        "group_size": 64,
        "bits": 4,
        "mode": "affine",
    }
    table = plan_of(tmp_path, "mac-64gb").config["quantization"]
    assert table["bits"] == 6
    assert table[GATE] == {"group_size": 64, "bits": 2, "mode": "affine"}
    assert HEAD not in table
    assert "quantization" not in plan_of(tmp_path, None).config


def test_a_foreign_table_is_not_carried_along(weights: Arrays, tmp_path: Path):
    stored, _ = fp8_by_row(weights)
    for place in ("top", "text"):
        config = config_with(text_config=SMALL["text_config"])
        table = config if place == "top" else config["text_config"]
        table["quantization_config"] = COMPRESSED_TENSORS
        write_source(tmp_path / place, config, stored)
        written = json.dumps(plan_of(tmp_path / place, None).config)
        assert "quantization" not in written


# The layout of the files.


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=30),
    largest=st.integers(3000, 20000),
)
def test_files_are_valid_and_keep_the_limit(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], largest: int
):
    arrays = [Array(f"a{n}", "U8", (size,)) for n, size in enumerate(sizes)]
    files = lay_out(arrays, largest_file=largest)
    folder = tmp_path_factory.mktemp("files")
    names: list[str] = []
    for file in files:
        path = folder / file.name
        path.write_bytes(file.header + bytes(file.size - len(file.header)))
        header = read_header(path)
        assert header.metadata == {"format": "mlx"}
        assert [(s.array.name, s.start) for s in file.slots] == [
            (name, info.start) for name, info in header.tensors.items()
        ]
        assert file.size <= largest or len(file.slots) == 1
        names += header.tensors
    assert names == [array.name for array in arrays]
    assert (files[0].name == "model.safetensors") is (len(files) == 1)


def test_the_index_lists_what_the_files_hold():
    arrays = [Array("b", "BF16", (10, 3)), Array("a", "U32", (500,))]
    files = lay_out(arrays, largest_file=2300)
    index = json.loads(index_document(files, 530))
    assert index["metadata"] == {"total_size": 2060, "total_parameters": 530}
    assert index["weight_map"] == {
        "a": "model-00002-of-00002.safetensors",
        "b": "model-00001-of-00002.safetensors",
    }


# What cannot be read.


def refused(folder: Path, config: dict[str, Any], stored: dict[str, Raw]) -> str:
    write_source(folder, config, stored)
    with pytest.raises(CheckpointError) as caught:
        plan_of(folder)
    return str(caught.value)


def with_table(table: dict[str, Any]) -> dict[str, Any]:
    return config_with(text_config=SMALL["text_config"], quantization_config=table)


def weights_table(**changes: Any) -> dict[str, Any]:
    group = COMPRESSED_TENSORS["config_groups"]["group_0"]
    changed = {"weights": {**group["weights"], **changes}}
    return {**COMPRESSED_TENSORS, "config_groups": {"group_0": changed}}


FP8 = {"quant_method": "fp8", "weight_block_size": [16, 24]}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"quant_method": "gptq", "bits": 4}, "'gptq', which cannot be read"),
        ({"quant_method": "awq"}, "'awq'"),
        ({"quant_method": "bitsandbytes"}, "'bitsandbytes'"),
        ({**COMPRESSED_TENSORS, "format": "pack-quantized"}, "'pack-quantized'"),
        (weights_table(num_bits=4), "num_bits is 4, only 8"),
        (weights_table(type="int"), "type is 'int'"),
        (weights_table(strategy="tensor"), "strategy is 'tensor'"),
        ({"quant_method": "fp8"}, "weight_block_size None"),
        ({**FP8, "weight_block_size": [128]}, r"weight_block_size \[128\]"),
        ({**FP8, "fmt": "e5m2"}, "fmt 'e5m2'"),
        ({"bits": 7, "group_size": 64}, "affine has 2, 3, 4, 5, 6, 8 bits, not 7"),
        ({"bits": 4, "group_size": 64, "mode": "gguf"}, "unknown mode 'gguf'"),
        ({"bits": 4, "group_size": 48}, "groups of 32, 64, 128, not 48"),
        ({"bits": 4}, "no readable scheme"),
    ],
)
def test_other_quantisations_are_refused_by_name(
    weights: Arrays, tmp_path: Path, table: dict[str, Any], message: str
):
    stored = raws(per_expert(weights))
    write_source(tmp_path, with_table(table), stored)
    if "bits" in table and "quant_method" not in table:
        stored = {
            **raws(weights),
            f"{HEAD}.scales": raw(np.ones((196, 1), np.float32)),
        }
        write_source(tmp_path, with_table(table), stored, format="mlx")
    with pytest.raises(CheckpointError, match=message) as caught:
        plan_of(tmp_path)
    assert "config.json" in str(caught.value)


UP = "model.language_model.layers.1.mlp.experts.2.up_proj.weight"


def test_fp8_without_its_scales_is_refused(weights: Arrays, tmp_path: Path):
    stored, _ = fp8_by_row(weights)
    del stored[f"{UP}_scale"]
    message = refused(tmp_path, with_table(COMPRESSED_TENSORS), stored)
    assert f"{UP} is F8_E4M3, but no file holds {UP}_scale" in message


def test_fp8_scales_of_another_shape_are_refused(weights: Arrays, tmp_path: Path):
    stored, _ = fp8_by_row(weights)
    stored[f"{UP}_scale"] = raw(np.ones((63, 1), np.float32))
    message = refused(tmp_path, with_table(COMPRESSED_TENSORS), stored)
    assert f"{UP}_scale has shape [63, 1]" in message
    stored, _ = fp8_by_block(weights, block=(16, 24))
    message = refused(
        tmp_path / "block", with_table({**FP8, "weight_block_size": [16, 16]}), stored
    )
    assert "_scale_inv has shape" in message


def test_scales_that_nothing_says_how_to_use_are_refused(
    weights: Arrays, tmp_path: Path
):
    stored, _ = fp8_by_row(weights)
    stored[UP.replace("weight", "input_scale")] = raw(np.ones(1, np.float32))
    message = refused(tmp_path, with_table(COMPRESSED_TENSORS), stored)
    assert "input_scale is surplus" in message


def test_fp8_that_the_config_does_not_mention_is_refused(
    weights: Arrays, tmp_path: Path
):
    stored, _ = fp8_by_row(weights)
    assert "is F8_E4M3, " in refused(tmp_path, with_table({}), stored)


def test_missing_and_surplus_tensors_are_refused(weights: Arrays, tmp_path: Path):
    stored = raws(per_expert(weights))
    del stored[UP]
    stored["adapter.weight"] = raw(np.ones(3, np.float32))
    message = refused(tmp_path, SMALL, stored)
    assert "up_proj.weight is missing expert 2" in message
    assert "adapter.weight is not a tensor of this model" in message


def test_a_config_that_contradicts_itself_is_refused(weights: Arrays, tmp_path: Path):
    config = config_with(text_config={**SMALL["text_config"], "num_key_value_heads": 3})
    message = refused(tmp_path, config, raws(per_expert(weights)))
    assert "config.json" in message
    assert "num_key_value_heads is 3" in message


def test_scales_in_bf16_and_flat_are_read_too(weights: Arrays, tmp_path: Path):
    stored, _ = fp8_by_row(weights, scales="BF16", flat=True)
    write_source(tmp_path, with_table(COMPRESSED_TENSORS), stored)
    plan = plan_of(tmp_path)
    expert = next(p for p in plan.pieces if p.span.name == UP)
    assert [info.dtype for info in expert.span.stored.infos] == ["F8_E4M3", "BF16"]
    assert expert.span.nbytes == 64 * 64 + 64 * 2


def test_large_matrices_are_cut_into_equal_parts():
    """At most 64 MB in 16 bits are read and written between two looks at a stop."""
    folder = Path("/nowhere")
    config = released().to_dict()
    shapes = parameter_shapes(Glm4vMoeConfig.from_dict(config))
    tensors, at = {}, 0
    for key, shape in shapes.items():
        dtype, size = ("F32", 4) if "e_score" in key else ("BF16", 2)
        stop = at + size_of(shape) * size
        tensors[key] = TensorInfo(folder / "model.safetensors", dtype, shape, at, stop)
        at = stop
    checkpoint = Checkpoint(folder, config, tensors, "mlx", None, None, ())
    plan = make_plan(checkpoint, recipe=find_recipe("4bit"))
    assert max(piece.span.nbytes for piece in plan.pieces) <= 100_000_000
    head = [p.span for p in plan.pieces if p.parameter.key == f"{HEAD}.weight"]
    assert len({span.rows for span in head}) == 1
    assert sum(span.rows for span in head) == 151_552
    assert [span.source_row for span in head] == [span.first_row for span in head]


def test_stacked_experts_with_scales_for_blocks_are_refused(
    weights: Arrays, tmp_path: Path
):
    stored = raws(in_bf16(fused(weights)))
    name = "model.language_model.layers.1.mlp.experts.gate_up_proj"
    experts, rows, columns = stored[name].shape
    stored[name] = raw(np.zeros((experts, rows, columns), np.uint8), "F8_E4M3")
    stored[f"{name}_scale_inv"] = raw(np.ones((experts, 1, 1), np.float32))
    table = with_table({"quant_method": "fp8", "weight_block_size": [128, 128]})
    message = refused(tmp_path, table, stored)
    assert "one tensor with scales for blocks" in message
