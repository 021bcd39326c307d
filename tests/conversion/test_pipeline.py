"""Every published form becomes the MLX layout, or a clear error before any work."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.beside import read_checksums
from mlx_glm45v.conversion.pipeline import convert, convert_plan, plan_conversion
from mlx_glm45v.conversion.run import Limits
from mlx_glm45v.errors import Cancelled, CheckpointError, ConversionError
from mlx_glm45v.loading import load_model
from mlx_glm45v.parameters.recipes import find_recipe
from mlx_glm45v.progress import Progress
from tests.checkpoint_forms import (
    FORMS,
    Arrays,
    build,
    config_with,
    logits_of,
    parameters_of,
    per_expert,
    random_weights,
)
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    contents,
    fp8_by_block,
    fp8_by_row,
    in_bf16,
    raw,
    raws,
    read_arrays,
    write_source,
)

ROUTER = "language_model.model.layers.1.mlp.gate"
FLOAT32 = config_with(text_config={**SMALL["text_config"], "dtype": "float32"})


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(SMALL)


@pytest.fixture(scope="module")
def published(weights: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bf16, one tensor for each expert, in three shards, with the small files."""
    folder = tmp_path_factory.mktemp("published") / "GLM-tiny"
    write_source(folder, SMALL, raws(in_bf16(per_expert(weights))), shards=3, seed=1)
    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        (folder / name).write_text(f'"{name}"')
    (folder / "training.log").write_text("not needed")
    return folder


def assert_same(found: Arrays, wanted: Arrays) -> None:
    assert found.keys() == wanted.keys()
    different = [
        key
        for key, array in wanted.items()
        if found[key].dtype != array.dtype or not mx.array_equal(found[key], array)
    ]
    assert not different


def rounded(weights: Arrays, dtype: mx.Dtype) -> Arrays:
    """What is stored of weights in a dtype: the router keeps float32."""
    return {
        key: array if key.startswith(ROUTER) else array.astype(dtype)
        for key, array in weights.items()
    }


def quantised(weights: Arrays, recipe: str, dtype: mx.Dtype = mx.bfloat16) -> Arrays:
    """By mlx itself, whole tensors at a time."""
    arrays: Arrays = {}
    for key, array in rounded(weights, dtype).items():
        module, _, suffix = key.rpartition(".")
        scheme = None
        if suffix == "weight":
            scheme = find_recipe(recipe).scheme_for(
                module, array.shape, num_hidden_layers=2
            )
        if scheme is None:
            arrays[key] = array
            continue
        parts = mx.quantize(
            array, group_size=scheme.group_size, bits=scheme.bits, mode=scheme.mode
        )
        names = (f"{module}.{name}" for name in ("weight", "scales", "biases"))
        arrays.update(zip(names, parts, strict=False))
    return arrays


# Plain sources.


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_plain_form_becomes_the_same_model(
    weights: Arrays, tmp_path: Path, form: Any
):
    source = tmp_path / "source"
    stored = raws(form.stored(weights))
    write_source(source, FLOAT32, stored, format=form.format, shards=2, seed=3)
    convert(source, tmp_path / "out")
    assert_same(read_arrays(tmp_path / "out"), weights)
    model = load_model(tmp_path / "out")
    np.testing.assert_array_equal(logits_of(model), logits_of(build(SMALL, weights)))


@pytest.mark.parametrize("recipe", ["4bit", "mac-64gb", "mixed_3_6", "mxfp4", "nvfp4"])
def test_quantised_arrays_are_those_of_mlx(
    weights: Arrays, published: Path, tmp_path: Path, recipe: str
):
    convert(published, tmp_path / "out", recipe=recipe)
    bf16 = {k: v.astype(mx.float32) for k, v in in_bf16(weights).items()}
    assert_same(read_arrays(tmp_path / "out"), quantised(bf16, recipe))
    found = parameters_of(load_model(tmp_path / "out", fuse=False))
    assert found.keys() == read_arrays(tmp_path / "out").keys()


def converted(folder: Path, stored: Any, limits: Limits, **spread: Any) -> Any:
    """Every byte of a folder converted in one way or another."""
    source = write_source(folder / "source", SMALL, stored, **spread)
    plan = plan_conversion(read_checkpoint(source), recipe="mac-64gb")
    out = folder / "out"
    convert_plan(plan, out, source_name="x", command="y", limits=limits)
    return contents(out)


@pytest.fixture(scope="module")
def wanted_bytes(weights: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("wanted")
    return converted(folder, raws(in_bf16(per_expert(weights))), Limits())


@settings(max_examples=10, deadline=None)
@given(
    form=st.sampled_from(list(FORMS.values())),
    shards=st.integers(1, 9),
    seed=st.integers(0, 10**6),
    numbers=st.integers(2000, 10_000),
)
def test_the_output_does_not_depend_on_the_sources_files_nor_on_the_blocks(
    weights: Arrays,
    wanted_bytes: Any,
    tmp_path_factory: pytest.TempPathFactory,
    form: Any,
    shards: int,
    seed: int,
    numbers: int,
):
    found = converted(
        tmp_path_factory.mktemp("spread"),
        raws(in_bf16(form.stored(weights))),
        Limits(numbers=numbers, sync_bytes=20 * numbers),
        format=form.format,
        shards=shards,
        seed=seed,
    )
    assert found == wanted_bytes


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("float32", mx.float32), ("float16", mx.float16), ("bfloat16", mx.bfloat16)],
)
def test_floats_are_cast_and_the_router_stays_float32(
    weights: Arrays, tmp_path: Path, name: str, dtype: mx.Dtype
):
    source = write_source(tmp_path / "source", SMALL, raws(per_expert(weights)))
    convert(source, tmp_path / "out", dtype=name)
    assert_same(read_arrays(tmp_path / "out"), rounded(weights, dtype))


# FP8.


def test_fp8_by_row_is_dequantised_exactly(weights: Arrays, tmp_path: Path):
    stored, values = fp8_by_row(weights)
    config = config_with(
        text_config=SMALL["text_config"], quantization_config=COMPRESSED_TENSORS
    )
    check_fp8(tmp_path, config, stored, values)


def test_fp8_by_block_is_dequantised_exactly(weights: Arrays, tmp_path: Path):
    stored, values = fp8_by_block(weights, block=(16, 24))
    table = {"quant_method": "fp8", "weight_block_size": [16, 24]}
    config = config_with(text_config=SMALL["text_config"], quantization_config=table)
    check_fp8(tmp_path, config, stored, values)


def check_fp8(
    folder: Path,
    config: dict[str, Any],
    stored: Any,
    values: dict[str, np.ndarray],
) -> None:
    """Dequantised in float32 and bf16, and quantised, the values are those wanted."""
    source = write_source(folder / "source", config, stored, shards=4, seed=2)
    convert(source, folder / "float32", dequantize=True, dtype="float32")
    floats = read_arrays(folder / "float32")
    for name, wanted in values.items():
        key = name.replace("model.language_model", "language_model.model")
        head, _, rest = key.partition(".experts.")
        if rest:
            expert, _, projection = rest.partition(".")
            found = floats[f"{head}.switch_mlp.{projection}"][int(expert)]
        else:
            found = floats[key]
        np.testing.assert_array_equal(np.array(found), wanted)
    convert(source, folder / "bf16", dequantize=True)
    assert_same(read_arrays(folder / "bf16"), rounded(floats, mx.bfloat16))
    convert(source, folder / "4bit", recipe="4bit")
    assert_same(read_arrays(folder / "4bit"), quantised(floats, "4bit"))
    assert "quant_method" not in (folder / "4bit" / "config.json").read_text()
    load_model(folder / "4bit")


# MLX folders.


@pytest.mark.parametrize("recipe", ["mac-64gb", "mxfp4", "nvfp4", "mxfp8"])
def test_mlx_folders_are_dequantised(published: Path, tmp_path: Path, recipe: str):
    packed, floats = tmp_path / "packed", tmp_path / "floats"
    convert(published, packed, recipe=recipe)
    convert(packed, floats, dequantize=True, dtype="float32")
    arrays, found = read_arrays(packed), read_arrays(floats)
    assert not [key for key in found if key.endswith(("scales", "biases"))]
    for key, array in found.items():
        module = key.removesuffix(".weight")
        if f"{module}.scales" not in arrays:
            continue
        scheme = find_recipe(recipe).scheme_for(
            module, array.shape, num_hidden_layers=2
        )
        assert scheme is not None
        scales, biases = arrays[f"{module}.scales"], arrays.get(f"{module}.biases")
        if biases is not None:
            scales, biases = (a.astype(mx.float32) for a in (scales, biases))
        wanted = mx.dequantize(
            arrays[key],
            scales,
            biases,
            group_size=scheme.group_size,
            bits=scheme.bits,
            mode=scheme.mode,
            dtype=mx.float32,
        )
        assert mx.array_equal(array, wanted)
    load_model(floats)


def test_mlx_folders_are_quantised_anew(published: Path, tmp_path: Path):
    convert(published, tmp_path / "8bit", recipe="8bit")
    convert(tmp_path / "8bit", tmp_path / "4bit", recipe="4bit")
    convert(tmp_path / "8bit", tmp_path / "floats", dequantize=True, dtype="float32")
    floats = read_arrays(tmp_path / "floats")
    assert_same(read_arrays(tmp_path / "4bit"), quantised(floats, "4bit"))


def test_modules_that_keep_their_scheme_are_copied(published: Path, tmp_path: Path):
    convert(published, tmp_path / "a", recipe="mac-64gb")
    convert(tmp_path / "a", tmp_path / "b", recipe="mac-64gb")
    assert_same(read_arrays(tmp_path / "b"), read_arrays(tmp_path / "a"))


# The folder.


def test_the_folder_has_everything_that_readers_want(
    published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    out = tmp_path / "out"
    summary = convert(published, out, recipe="4bit")
    names = {path.name for path in out.iterdir()}
    assert names == {
        "README.md",
        "chat_template.jinja",
        "checksums.json",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    }
    for name in ("tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert (out / name).read_bytes() == (published / name).read_bytes()
    checkpoint = read_checkpoint(out)
    assert checkpoint.format == "mlx"
    assert not checkpoint.warnings
    assert not caplog.records
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == checkpoint.nbytes
    assert summary.nbytes == (out / "model.safetensors").stat().st_size
    assert summary.files == ("model.safetensors",)
    assert summary.bytes_read == read_checkpoint(published).nbytes


def test_checksums_are_those_of_the_arrays(published: Path, tmp_path: Path):
    import zlib

    out = tmp_path / "out"
    convert(published, out, recipe="4bit")
    checksums = read_checksums(out).arrays
    content = (out / "model.safetensors").read_bytes()
    tensors = read_checkpoint(out).tensors
    assert checksums.keys() == tensors.keys()
    for name, info in tensors.items():
        data = content[info.start : info.stop]
        size = len(data) // len(checksums[name])
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        assert [zlib.crc32(part) for part in parts] == list(checksums[name])


def test_the_card_says_how_it_was_made_and_is_the_same_each_time(
    published: Path, tmp_path: Path
):
    convert(published, tmp_path / "a" / "GLM-tiny-4bit", recipe="4bit")
    convert(published, tmp_path / "b" / "GLM-tiny-4bit", recipe="4bit")
    first, second = (contents(tmp_path / name / "GLM-tiny-4bit") for name in ("a", "b"))
    assert first == second
    card = first["README.md"].decode()
    assert "--hf-path GLM-tiny --mlx-path GLM-tiny-4bit --recipe 4bit" in card
    assert "| head | 12,544 | 4 bit affine, groups of 64 |" in card
    assert str(tmp_path) not in card


def test_layers_left_out_are_reported(
    weights: Arrays, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    beyond = "model.language_model.layers.2.eh_proj.weight"
    stored = {**raws(per_expert(weights)), beyond: raw(np.ones((3, 4), np.float32))}
    source = write_source(tmp_path / "source", SMALL, stored)
    with caplog.at_level(logging.WARNING):
        summary = convert(source, tmp_path / "out")
    assert summary.dropped == (beyond,)
    assert "1 tensors are left out" in caplog.text


def test_files_are_cut_where_they_get_too_large(published: Path, tmp_path: Path):
    from mlx_glm45v.conversion.plan import make_plan

    plan = make_plan(
        read_checkpoint(published), recipe=find_recipe("4bit"), largest_file=60_000
    )
    convert_plan(plan, tmp_path / "out", source_name="x", command="y")
    convert(published, tmp_path / "one", recipe="4bit")
    assert len(plan.files) > 2
    assert_same(read_arrays(tmp_path / "out"), read_arrays(tmp_path / "one"))
    assert not read_checkpoint(tmp_path / "out").warnings


def test_the_demo_is_converted(tmp_path: Path):
    summary = convert("demo", tmp_path / "out", recipe="8bit")
    assert summary.bits_per_weight < 12
    load_model(tmp_path / "out")
    assert "--hf-path demo" in (tmp_path / "out" / "README.md").read_text()


# Progress and stopping.


def test_progress_counts_every_byte_of_the_source(published: Path, tmp_path: Path):
    seen: list[Progress] = []
    convert(published, tmp_path / "out", recipe="4bit", progress=seen.append)
    total = read_checkpoint(published).nbytes
    done = [value.done for value in seen]
    assert {(value.stage, value.total) for value in seen} == {("convert", total)}
    assert done == sorted(done)
    assert done[-1] == total
    assert {"layer 0", "layer 1", "language_model.lm_head"} <= {v.item for v in seen}


@pytest.mark.parametrize("after", [0, 1, 20, 90])
def test_a_conversion_stops_when_asked_and_goes_on_later(
    published: Path, tmp_path: Path, after: int
):
    asked = iter(range(10**6))
    out = tmp_path / "out"
    with pytest.raises(Cancelled, match="goes on from there"):
        convert(published, out, recipe="4bit", should_stop=lambda: next(asked) >= after)
    with pytest.raises(CheckpointError, match=r"not finished.*conversion\.journal"):
        load_model(out)
    summary = convert(published, out, recipe="4bit")
    assert summary.bytes_read + summary.bytes_kept == read_checkpoint(published).nbytes
    load_model(out)


# Refusals.


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"recipe": "5.5bit"}, r"no recipe '5\.5bit'; there are 2bit"),
        ({"recipe": "4bit", "dequantize": True}, "one of the two"),
        ({"dtype": "int8"}, "dtype 'int8'"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_anything_is_written(
    published: Path, tmp_path: Path, wishes: dict[str, Any], message: str
):
    with pytest.raises(ConversionError, match=message):
        convert(published, tmp_path / "out", **wishes)
    assert not (tmp_path / "out").exists()


def test_quantised_sources_need_a_recipe_or_dequantize(published: Path, tmp_path: Path):
    convert(published, tmp_path / "4bit", recipe="4bit")
    with pytest.raises(ConversionError, match=r"choose a recipe .*--dequantize"):
        convert(tmp_path / "4bit", tmp_path / "out")


def test_foreign_quantisations_are_refused_before_anything_is_written(
    weights: Arrays, tmp_path: Path
):
    config = {**SMALL, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    source = write_source(tmp_path / "source", config, raws(per_expert(weights)))
    with pytest.raises(CheckpointError, match="'gptq'"):
        convert(source, tmp_path / "out", recipe="4bit")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("recipe", [None, "4bit"])
@pytest.mark.parametrize(
    ("value", "dtype"), [(1e6, "float16"), (float("nan"), "float32")]
)
def test_numbers_that_the_output_cannot_hold_are_refused_with_their_tensor(
    weights: Arrays, tmp_path: Path, recipe: str | None, value: float, dtype: str
):
    name = "model.language_model.layers.1.mlp.experts.2.up_proj.weight"
    stored = raws(in_bf16(per_expert(weights)))
    matrix = np.array(per_expert(weights)[name])
    matrix[5, 6] = value
    stored[name] = raw(mx.array(matrix).astype(mx.bfloat16))
    source = write_source(tmp_path / "source", SMALL, stored)
    with pytest.raises(CheckpointError, match=rf"{name}: 1 .*{dtype}"):
        convert(source, tmp_path / "out", recipe=recipe, dtype=dtype)


def test_an_earlier_model_is_kept_unless_overwriting_is_allowed(
    published: Path, tmp_path: Path
):
    out = tmp_path / "out"
    convert(published, out, recipe="8bit")
    before = contents(out)
    with pytest.raises(ConversionError, match="not empty"):
        convert(published, out, recipe="4bit")
    assert contents(out) == before
    convert(published, out, recipe="4bit", overwrite=True)
    convert(published, tmp_path / "new" / "out", recipe="4bit")
    assert contents(out) == contents(tmp_path / "new" / "out")
