"""What is told before a conversion is what the conversion does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from mlx_glm45v.conversion.dry_run import Assessment, Disk, assess, assessment_lines
from mlx_glm45v.conversion.lookup import local_folder, look_at
from mlx_glm45v.conversion.pipeline import convert
from mlx_glm45v.conversion.recipe_table import recipe_lines, released
from mlx_glm45v.conversion.sizes import measure
from mlx_glm45v.errors import CheckpointError, ConversionError, DownloadError
from mlx_glm45v.memory import CPU, mac
from mlx_glm45v.memory.machine import metal_machine
from mlx_glm45v.parameters.recipes import RECIPES, find_recipe
from tests.checkpoint_forms import Arrays, per_expert, random_weights
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    fp8_by_row,
    in_bf16,
    raw,
    raws,
    write_source,
)
from tests.hub.stand_in import StandInHub, point_to, stand_in_hub
from tests.memory.configs import GLM45V

REPO = "somebody/tiny"
ON_LINUX = replace(mac(64), backend=CPU)


@pytest.fixture(scope="module")
def weights() -> Arrays:
    return random_weights(SMALL)


@pytest.fixture
def source(weights: Arrays, tmp_path: Path) -> Path:
    stored = raws(in_bf16(per_expert(weights)))
    folder = write_source(tmp_path / "source", SMALL, stored, shards=3, seed=2)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def look(source: Path | str, target: Path, recipe: str | None, **wishes: Any):
    chosen = find_recipe(recipe) if recipe else None
    return assess(str(source), target, recipe=chosen, **wishes)


def told(assessment: Assessment) -> str:
    return "\n".join(assessment_lines(assessment, ON_LINUX))


@pytest.mark.parametrize("recipe", [None, "4bit", "mac-64gb", "mxfp4", "mixed_3_6"])
def test_the_output_is_told_to_the_byte(
    source: Path, tmp_path: Path, recipe: str | None
):
    target = tmp_path / "out"
    before = look(source, target, recipe)
    assert not target.exists()
    done = convert(source, target, recipe=recipe)
    assert before.plan.size == done.nbytes
    assert tuple(file.name for file in before.plan.files) == done.files
    assert before.plan.bits_per_weight == done.bits_per_weight
    assert before.source_bytes == done.bytes_read
    beside = {path.name for path in target.iterdir()} - set(done.files)
    said = told(before)
    assert all(name in said for name in beside)


@pytest.mark.parametrize("recipe", [None, "4bit", "mac-96gb", "nvfp4"])
def test_a_config_alone_says_the_same_as_the_headers(
    source: Path, tmp_path: Path, recipe: str | None
):
    alone = tmp_path / "any name.json"
    alone.write_text((source / "config.json").read_text())
    from_config = look(alone, tmp_path / "out", recipe)
    from_headers = look(source, tmp_path / "out", recipe)
    assert from_config.plan.files == from_headers.plan.files
    assert from_config.plan.config == from_headers.plan.config
    assert from_config.source_bytes is None
    assert "the config alone" in told(from_config)


def test_a_folder_with_nothing_but_a_config_will_do(tmp_path: Path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "config.json").write_text(json.dumps(SMALL))
    assert look(tmp_path / "configs", tmp_path / "out", "4bit").source_bytes is None


def test_the_real_model_at_4_bits(tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(GLM45V))
    found = look(config, tmp_path / "out", "4bit")
    assert found.plan.size == pytest.approx(61.9e9, rel=0.01)
    assert max(file.size for file in found.plan.files) <= 5e9
    said = told(found)
    assert "61.9 GB in 13 files, 4.60 bits for each of 107,710,933,120" in said
    assert "7.3 GB of them are read" in said
    assert "a context of 16,384 tokens and a picture of 6,144" in said
    rows = [row for row in said.splitlines() if " for the GPU " in row]
    assert len(rows) == 11
    fitting = [row.split()[0] for row in rows if " fits, " in row]
    assert fitting == ["96", "128", "192", "256", "512"]


def test_the_sum_is_shown_and_adds_up(source: Path, tmp_path: Path):
    found = look(source, tmp_path / "out", "4bit")
    footprint = found.footprint
    assert (
        footprint.weights
        == found.sizes.total
        == measure(look_at(str(source)).config, RECIPES["4bit"]).total_bytes
    )
    said = told(found)
    for part in ("weights", "context", "vision features", "reserve", "total"):
        assert f"\n  {part}" in said


def test_a_mac_gets_a_verdict_of_its_own(source: Path, tmp_path: Path):
    device: dict[str, str | int] = {
        "device_name": "Apple M9",
        "memory_size": 32 * 2**30,
        "max_recommended_working_set_size": 24 * 2**30,
    }
    machine = metal_machine(device, held=0)
    found = look(source, tmp_path / "out", "4bit")
    *_, last = assessment_lines(found, machine)
    assert last.startswith("this Apple M9 with 32 GB offers 25.8 GB")
    assert "Apple" not in told(found)


def test_what_is_left_out_is_told(weights: Arrays, tmp_path: Path):
    beyond = "model.language_model.layers.2.eh_proj.weight"
    stored = {**raws(per_expert(weights)), beyond: raw(np.ones((3, 4), np.float32))}
    source = write_source(tmp_path / "source", SMALL, stored)
    said = told(look(source, tmp_path / "out", "4bit"))
    assert f"1 tensors that belong to no layer: {beyond}" in said


@pytest.mark.parametrize(
    ("recipe", "dequantize", "refused"),
    [(None, False, True), (None, True, False), ("4bit", False, False)],
)
def test_quantised_sources_are_read_or_refused_as_the_conversion_would(
    weights: Arrays, tmp_path: Path, recipe: str | None, dequantize: bool, refused: bool
):
    stored, _ = fp8_by_row(weights)
    config = {**SMALL, "quantization_config": COMPRESSED_TENSORS}
    source = write_source(tmp_path / "source", config, stored)
    for given in (source, source / "config.json"):
        if refused:
            with pytest.raises(ConversionError, match="holds quantised weights"):
                look(given, tmp_path / "out", recipe, dequantize=dequantize)
        else:
            look(given, tmp_path / "out", recipe, dequantize=dequantize)


def test_a_quantisation_that_cannot_be_read_is_refused_from_the_config(tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps({**SMALL, "quantization_config": {"quant_method": "awq"}})
    )
    with pytest.raises(CheckpointError, match="'awq', which cannot be read"):
        look(config, tmp_path / "out", "4bit")


def test_a_target_in_the_way_is_told(source: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(ConversionError, match=r"not empty \(thesis.txt\)"):
        look(source, tmp_path / "out", "4bit")


# Disks.


def test_the_room_for_the_output_is_told_with_what_is_free(
    source: Path, tmp_path: Path
):
    found = look(source, tmp_path / "new" / "out", "4bit")
    (disk,) = found.disks
    assert disk.needed == found.plan.size
    assert disk.free > 0
    found.check_disks()


def test_what_overwriting_gives_back_is_taken_off(source: Path, tmp_path: Path):
    convert(source, tmp_path / "out", recipe="8bit")
    found = look(source, tmp_path / "out", "4bit", overwrite=True)
    assert found.disks[0].needed == 0


def test_one_disk_must_have_room_for_everything_on_it(source: Path, tmp_path: Path):
    found = look(source, tmp_path / "out", "4bit")
    here = [
        Disk(tmp_path, 600, 1000, "the output"),
        Disk(tmp_path / "cache", 500, 1000, "the source, fetched whole"),
    ]
    short = replace(found, disks=tuple(here))
    with pytest.raises(ConversionError, match="the output and the source") as error:
        short.check_disks()
    assert "1.1 kB are needed" in str(error.value)
    assert "--fetch-by-shard" in str(error.value)
    replace(found, disks=tuple(here[:1])).check_disks()


# Repositories.


@pytest.fixture
def hub(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandInHub]:
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    monkeypatch.setattr(
        huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache")
    )
    with stand_in_hub({REPO: files}) as hub:
        point_to(hub, monkeypatch)
        yield hub


def test_of_a_repository_no_weights_are_fetched(
    hub: StandInHub, source: Path, tmp_path: Path
):
    found = look(REPO, tmp_path / "out", "4bit")
    assert not any(path.endswith(".safetensors") for path, _ in hub.seen)
    assert found.plan.files == look(source, tmp_path / "out", "4bit").plan.files
    sizes = sorted(file.stat().st_size for file in source.glob("*.safetensors"))
    assert found.source_bytes == sum(sizes)
    assert [disk.needed for disk in found.disks] == [found.plan.size, sum(sizes)]
    assert "tokenizer.json" in found.copied
    by_shard = look(REPO, tmp_path / "out", "4bit", by_shard=True)
    assert by_shard.disks[1].needed == sum(sizes[-2:])
    assert local_folder(REPO) is None


@pytest.mark.usefixtures("hub")
def test_a_repository_that_was_fetched_is_known_by_its_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    convert(REPO, tmp_path / "out", recipe="4bit")
    assert "headers of fetched files" in told(look(REPO, tmp_path / "out2", "4bit"))
    assert local_folder(REPO) is not None
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    again = look(REPO, tmp_path / "out2", "4bit")
    assert len(again.disks) == 1


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_is_explained(tmp_path: Path):
    with pytest.raises(DownloadError, match="no repository some/other"):
        look("some/other", tmp_path / "out", "4bit")


def test_a_repository_that_was_closed_is_not_planned_from_what_was_fetched(
    hub: StandInHub, tmp_path: Path
):
    convert(REPO, tmp_path / "out", recipe="4bit")
    del hub.files[REPO]
    with pytest.raises(DownloadError, match="no repository"):
        look(REPO, tmp_path / "out2", "4bit")


# The table of recipes.


def test_the_table_has_a_line_for_every_recipe_with_its_numbers():
    lines = list(recipe_lines(released(), "GLM-4.5V"))
    assert lines[0] == "GLM-4.5V, 107,710,933,120 weights:"
    by_name = {line.split()[0]: line for line in lines[2:]}
    assert by_name.keys() >= RECIPES.keys()
    assert "4.60   61.9 GB    7.28 GB        96 GB" in by_name["4bit"]
    for name in ("mac-64gb", "mac-96gb", "mac-128gb", "mac-192gb"):
        memory = name.removeprefix("mac-").removesuffix("gb")
        assert by_name[name].split()[6:8] == [memory, "GB"]


def test_the_built_in_config_is_the_released_one():
    from mlx_glm45v.config import Glm4vMoeConfig

    path = Path(__file__).parents[3] / "shared/checkpoints/GLM-4.5V.config.json"
    if not path.exists():
        pytest.skip("the released config does not lie beside the project")
    theirs = Glm4vMoeConfig.from_dict(json.loads(path.read_text()))
    assert measure(theirs, None) == measure(released(), None)
    assert theirs.context_length == released().context_length
