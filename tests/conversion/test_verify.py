"""What is off in a converted folder is found and named; what is well passes."""

from __future__ import annotations

import json
import multiprocessing
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.checkpoints import read_checkpoint
from mlx_glm45v.conversion.comparison import Comparison, allowed_error
from mlx_glm45v.conversion.pipeline import convert, plan_conversion
from mlx_glm45v.conversion.quantise import quantise_rows
from mlx_glm45v.conversion.verify import Verification, verification_lines, verify
from mlx_glm45v.errors import Cancelled
from mlx_glm45v.parameters.recipes import FP_MODES, Scheme
from mlx_glm45v.progress import Progress
from mlx_glm45v.safetensors_header import TensorInfo
from tests.checkpoint_forms import (
    FORMS,
    Arrays,
    config_with,
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
    raws,
    write_source,
)
from tests.conversion.measured_comparison import peak_of

WEIGHTS = "model.safetensors"
DOWN = "language_model.model.layers.1.mlp.switch_mlp.down_proj"


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(SMALL)


@pytest.fixture(scope="module")
def published(weights: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "source"
    write_source(folder, SMALL, raws(in_bf16(per_expert(weights))), shards=2, seed=4)
    (folder / "generation_config.json").write_text('{"top_k": 1}')
    return folder


@pytest.fixture
def out(published: Path, tmp_path: Path) -> Path:
    """A 4-bit conversion to damage."""
    convert(published, tmp_path / "out", recipe="4bit")
    return tmp_path / "out"


def checked(out: Path, source: Path | None, recipe: str | None = "4bit", **wishes: Any):
    plan = None
    if source is not None:
        plan = plan_conversion(read_checkpoint(source), recipe=recipe, **wishes)
    return verify(out, plan, generate=False)


def place_of(out: Path, name: str) -> TensorInfo:
    return read_checkpoint(out).tensors[name]


def overwrite(out: Path, position: int, data: bytes) -> None:
    with (out / WEIGHTS).open("r+b") as file:
        file.seek(position)
        file.write(data)


def swap_experts(out: Path, module: str, first: int, second: int) -> None:
    """Two experts of every array of a module change places."""
    tensors = read_checkpoint(out).tensors
    content = (out / WEIGHTS).read_bytes()
    for suffix in ("weight", "scales", "biases"):
        info = tensors[f"{module}.{suffix}"]
        size = info.nbytes // info.shape[0]
        starts = [info.start + expert * size for expert in (first, second)]
        one, other = (content[start : start + size] for start in starts)
        overwrite(out, starts[0], other)
        overwrite(out, starts[1], one)


def forge_checksums(out: Path) -> None:
    """Checksums of what lies there now, as if it had been written so."""
    document = json.loads((out / "checksums.json").read_bytes())
    content = (out / WEIGHTS).read_bytes()
    for name, info in read_checkpoint(out).tensors.items():
        data = content[info.start : info.stop]
        size = len(data) // len(document["arrays"][name])
        document["arrays"][name] = [
            zlib.crc32(data[at : at + size]) for at in range(0, len(data), size)
        ]
    for name in document["files"]:
        document["files"][name] = zlib.crc32((out / name).read_bytes())
    (out / "checksums.json").write_text(json.dumps(document))


# All is well.


@pytest.mark.parametrize(
    "recipe", [None, "2bit", "4bit", "mac-64gb", "mixed_3_6", "mxfp4", "mxfp8", "nvfp4"]
)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_and_recipe_passes(
    weights: Arrays, tmp_path: Path, form: Any, recipe: str | None
):
    stored = raws(form.stored(in_bf16(weights)))
    source = write_source(tmp_path / "source", SMALL, stored, format=form.format)
    convert(source, tmp_path / "out", recipe=recipe)
    found = checked(tmp_path / "out", source, recipe)
    assert found.problems == ()
    assert sum(part.count for part in found.parts) == sum(
        array.size for array in weights.values()
    )


@pytest.mark.parametrize("recipe", ["2bit", "3bit", "mac-96gb"])
def test_a_searched_conversion_passes(published: Path, tmp_path: Path, recipe: str):
    convert(published, tmp_path / "out", recipe=recipe, search=True)
    assert checked(tmp_path / "out", published, recipe, search=True).problems == ()


@pytest.mark.parametrize("kind", ["by row", "by block"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_fp8_sources_are_compared_with_what_they_stand_for(
    weights: Arrays, tmp_path: Path, kind: str, dtype: str
):
    if kind == "by row":
        stored, _ = fp8_by_row(weights)
        quantised: dict[str, Any] = COMPRESSED_TENSORS
    else:
        stored, _ = fp8_by_block(weights, block=(24, 40))
        quantised = {"quant_method": "fp8", "weight_block_size": [24, 40]}
    config = {**SMALL, "quantization_config": quantised}
    source = write_source(tmp_path / "source", config, stored)
    wishes = {"dtype": dtype, "dequantize": True}
    convert(source, tmp_path / "out", **wishes)
    found = checked(tmp_path / "out", source, None, **wishes)
    assert found.problems == ()
    assert max(part.error for part in found.parts) < 2**-8


def test_a_model_quantised_anew_is_compared_with_its_source(out: Path, tmp_path: Path):
    convert(out, tmp_path / "3bit", recipe="3bit")
    found = checked(tmp_path / "3bit", out, "3bit")
    assert found.problems == ()
    assert 0.01 < {p.kind: p.error for p in found.parts}["shared"] < 0.5


def test_errors_are_those_of_the_whole_tensors(
    out: Path, published: Path, weights: Arrays
):
    found = checked(out, published)
    arrays = mx.load(str(out / WEIGHTS))
    assert isinstance(arrays, dict)
    errors = squares = 0.0
    for expert in ("gate", "up", "down"):
        module = DOWN.replace("down", expert)
        wanted = in_bf16(weights)[f"{module}.weight"].astype(mx.float32)
        packed = (arrays[f"{module}.{name}"] for name in ("weight", "scales", "biases"))
        weight, scales, biases = packed
        got = mx.dequantize(
            weight, scales.astype(mx.float32), biases.astype(mx.float32), 64, 4
        )
        errors = float(mx.square(got - wanted).sum().item())
        squares = float(mx.square(wanted).sum().item())
        (part,) = [p for p in found.parts if p.kind == f"expert_{expert}"]
        assert part.error == pytest.approx((errors / squares) ** 0.5, rel=1e-4)
        assert part.scheme == Scheme(4)


@pytest.mark.parametrize("numbers", [70, 500, 3000])
def test_blocks_of_any_size_give_the_same_errors(
    out: Path, published: Path, numbers: int
):
    plan = plan_conversion(read_checkpoint(published), recipe="4bit")
    whole, cut = (
        Comparison(plan, read_checkpoint(out), numbers=size)
        for size in (10**7, numbers)
    )
    for comparison in (whole, cut):
        comparison.run(advance=lambda _nbytes, _item: None)
    assert cut.misplaced == []
    for one, other in zip(whole.parts, cut.parts, strict=True):
        assert replace(one, error=0) == replace(other, error=0)
        assert one.error == pytest.approx(other.error, rel=1e-4)


def test_progress_counts_every_byte_of_both(out: Path, published: Path):
    seen: list[Progress] = []
    plan = plan_conversion(read_checkpoint(published), recipe="4bit")
    verify(out, plan, generate=False, progress=seen.append)
    assert seen[-1].done == seen[-1].total
    assert seen[-1].total > 2 * read_checkpoint(out).nbytes
    assert {one.stage for one in seen} == {"verify"}
    assert "layer 1" in {one.item for one in seen}


def test_checking_can_be_stopped(out: Path):
    with pytest.raises(Cancelled):
        verify(out, should_stop=lambda: True)


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)
def test_comparing_takes_a_few_blocks_of_memory(tmp_path: Path):
    """1 MB and 20 MB stand for a block's 16 MB and the 1.24 GB of the embeddings."""
    sources = {}
    for name, rows in (("small", 196), ("large", 156_250)):
        text = {**SMALL["text_config"], "vocab_size": 2}
        stored = raws(
            in_bf16(per_expert(random_weights(config_with(text_config=text))))
        )
        bits = np.random.default_rng(4).integers(0x3C00, 0x3D00, (rows, 64))
        table = bits.astype(np.uint16)
        for key in ("model.language_model.embed_tokens.weight", "lm_head.weight"):
            stored[key] = Raw("BF16", table.shape, table.tobytes())
        config = config_with(text_config={**text, "vocab_size": rows})
        sources[name] = write_source(tmp_path / name, config, stored)
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conversion.measured_comparison"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=peak_of,
        args=(sources["small"], sources["large"], tmp_path / "out", sender),
    )
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert receiver.recv() < 12_000_000


def test_the_report_names_parts_errors_and_notes(out: Path, published: Path):
    said = "\n".join(verification_lines(checked(out, published)))
    assert "expert down" in said
    assert "4 bit affine, groups of 64" in said
    assert "float32" in said
    without = "\n".join(verification_lines(checked(out, None)))
    assert "no source to compare with" in without
    assert "not asked anything: the folder has no tokenizer.json" in "\n".join(
        verify(out).notes
    )


def test_the_demo_answers_about_the_picture(demo_folder: Path, tmp_path: Path):
    convert("demo", tmp_path / "out", recipe="8bit")
    found = verify(
        tmp_path / "out", plan_conversion(read_checkpoint(demo_folder), recipe="8bit")
    )
    assert found.problems == ()
    assert found.answer is not None
    assert found.answer.text.startswith("The picture shows")


# Something is off.


def named(found: Verification, *words: str) -> bool:
    """Whether one problem has all of the words."""
    return any(all(word in problem for word in words) for problem in found.problems)


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(
    ("name", "expert"),
    [
        (f"{DOWN}.weight", 2),
        (f"{DOWN}.scales", 3),
        ("language_model.lm_head.biases", None),
        ("vision_tower.patch_embed.proj.weight", None),
        ("language_model.model.layers.1.mlp.gate.e_score_correction_bias", None),
    ],
)
def test_a_flipped_bit_is_found(
    out: Path, published: Path, name: str, expert: int | None, with_source: bool
):
    info = place_of(out, name)
    position = info.stop - 1
    if expert is not None:
        position = info.start + (expert + 1) * info.nbytes // info.shape[0] - 1
    byte = (out / WEIGHTS).read_bytes()[position]
    overwrite(out, position, bytes([byte ^ 1]))
    found = checked(out, published if with_source else None)
    assert named(found, WEIGHTS, f"{name}, expert {expert}," if expert else name)
    assert len([p for p in found.problems if "is not what was written" in p]) == 1


def test_swapped_experts_are_found_without_the_source(out: Path):
    swap_experts(out, DOWN, 1, 2)
    found = checked(out, None)
    assert named(found, WEIGHTS, f"{DOWN}.weight, expert 1,")
    assert named(found, WEIGHTS, f"{DOWN}.weight, expert 2,")


@pytest.mark.parametrize("recipe", ["2bit", "4bit", "8bit", "mxfp4", "mxfp8"])
def test_swapped_experts_are_found_though_every_checksum_holds(
    published: Path, tmp_path: Path, recipe: str
):
    out = tmp_path / "out"
    convert(published, out, recipe=recipe)
    tensors = read_checkpoint(out).tensors
    content = bytearray((out / WEIGHTS).read_bytes())
    for suffix in ("weight", "scales", "biases"):
        if info := tensors.get(f"{DOWN}.{suffix}"):
            half = info.nbytes // info.shape[0]
            one = slice(info.start, info.start + half)
            other = slice(info.start + half, info.start + 2 * half)
            content[one], content[other] = content[other], content[one]
    (out / WEIGHTS).write_bytes(content)
    forge_checksums(out)
    assert checked(out, None, recipe).problems == ()
    found = checked(out, published, recipe)
    assert len(found.problems) == 2
    assert named(found, WEIGHTS, f"{DOWN}.weight, expert 0,", "is off by")
    assert named(found, f"{DOWN}.weight, expert 1,", "experts.1.down_proj")


def test_numbers_that_are_none_are_off(out: Path, published: Path):
    info = place_of(out, "language_model.model.norm.weight")
    overwrite(out, info.start, np.array([0x7FC0], np.uint16).tobytes())
    forge_checksums(out)
    assert named(checked(out, published), "model.norm.weight is off by nan")


def lose(out: Path, name: str) -> None:
    (out / name).unlink()


def truncate(out: Path, name: str) -> None:
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[:-10])


def change(name: str, **entries: Any) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        document = json.loads((out / name).read_bytes())
        for place, value in entries.items():
            *path, last = place.split("__")
            table = document
            for step in path:
                table = table[step]
            table[last] = value
        (out / name).write_text(json.dumps(document))

    return damage


@pytest.mark.parametrize("with_source", [True, False])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: lose(out, WEIGHTS), (WEIGHTS, "missing", "language_model.")),
        (lambda out: truncate(out, WEIGHTS), (WEIGHTS, "truncated")),
        (lambda out: lose(out, "config.json"), ("config.json", "cannot be read")),
        (lambda out: lose(out, "checksums.json"), ("checksums.json",)),
        (lambda out: truncate(out, "checksums.json"), ("checksums.json",)),
        (
            lambda out: lose(out, "generation_config.json"),
            ("generation_config.json", "missing"),
        ),
        (lambda out: lose(out, "README.md"), ("README.md", "missing")),
        (
            lambda out: lose(out, "model.safetensors.index.json"),
            ("model.safetensors.index.json", "missing"),
        ),
        (change("generation_config.json", top_k=2), ("generation_config.json",)),
        (change("config.json", text_config__rope_theta=5.0), ("config.json",)),
        (change("config.json", text_config__rms_norm_eps=0.1), ("config.json",)),
        (change("config.json", quantization__bits=8), ("embed_tokens",)),
        (change("config.json", text_config__num_hidden_layers=1), ("layers.1.",)),
        (change("config.json", text_config__num_hidden_layers=3), ("layers.2.",)),
        (change("config.json", text_config__vocab_size=195), ("embed_tokens", "195")),
        (change("config.json", model_type="glm4v"), ("config.json", "glm4v")),
    ],
)
def test_damaged_and_missing_files_are_named(
    out: Path,
    published: Path,
    damage: Callable[[Path], None],
    words: tuple[str, ...],
    with_source: bool,
):
    damage(out)
    assert named(checked(out, published if with_source else None), *words)


def test_a_changed_config_is_told_entry_by_entry(out: Path, published: Path):
    change("config.json", text_config__rope_theta=5.0, extra=1)(out)
    found = checked(out, published)
    assert named(found, "text_config.rope_theta is 5.0, not 10000.0")
    assert named(found, "extra is 1, and should not be there")


def test_a_missing_file_of_several_is_named(published: Path, tmp_path: Path):
    out = tmp_path / "out"
    convert(published, out, recipe="4bit")
    several = [out / f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    (out / WEIGHTS).rename(several[0])
    several[2].write_bytes(several[0].read_bytes())
    assert named(checked(out, published), several[1].name)


def test_another_conversion_than_asked_for_is_told(out: Path, published: Path):
    found = checked(out, published, "8bit")
    assert named(found, "config.json", "quantization.bits is 4, not 8")
    assert named(found, WEIGHTS, "other arrays than this command writes")


def test_a_file_that_is_not_the_sources_is_told(out: Path, published: Path):
    change("generation_config.json", top_k=2)(out)
    forge_checksums(out)
    assert named(checked(out, published), "generation_config.json differs from")


def test_an_unfinished_folder_is_not_checked(published: Path, tmp_path: Path):
    stops = iter([False] * 20)
    with pytest.raises(Cancelled):
        convert(
            published,
            tmp_path / "out",
            recipe="4bit",
            should_stop=lambda: next(stops, True),
        )
    assert named(checked(tmp_path / "out", published), "is not finished")


# What a format explains.


def heavy_tailed(seed: int, *, rows: int = 64) -> mx.array:
    random = np.random.default_rng(seed)
    return mx.array(random.standard_t(3, (rows, 256)).astype(np.float32) * 0.02)


SCHEMES = [
    *(Scheme(bits, group) for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)),
    *(Scheme(bits, group, mode) for mode, (bits, group) in FP_MODES.items()),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("search", [False, True])
def test_rounding_stays_within_what_is_allowed_and_other_rows_do_not(
    scheme: Scheme, search: bool
):
    for seed in range(3):
        rows = heavy_tailed(seed)
        packed = quantise_rows(rows, scheme, search=search)
        found = mx.dequantize(
            *packed[:2],
            packed[2] if len(packed) == 3 else None,
            scheme.group_size,
            scheme.bits,
            mode=scheme.mode,
            dtype=mx.float32,
        )
        limit = allowed_error(rows, scheme).item()
        assert mx.square(found - rows).sum().item() <= limit
        others = mx.concatenate([found[1:], found[:1]])
        assert mx.square(others - rows).sum().item() > limit


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.float32])
def test_floats_are_allowed_their_last_bit(dtype: mx.Dtype):
    rows = heavy_tailed(1)
    limit = allowed_error(rows, None, dtype).item()
    stored = rows.astype(dtype).astype(mx.float32)
    assert mx.square(stored - rows).sum().item() <= limit
    assert mx.square(stored * 1.02 - rows).sum().item() > limit
