"""A repository is converted shard by shard, over lines that fail, with room for two."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest

from mlx_glm45v.conversion.fetching import FetchNeeds, convert_by_shard
from mlx_glm45v.conversion.journal import JOURNAL_NAME
from mlx_glm45v.conversion.pipeline import convert
from mlx_glm45v.conversion.writer import temporary_name
from mlx_glm45v.errors import Cancelled, CheckpointError, ConversionError, DownloadError
from mlx_glm45v.progress import Progress
from mlx_glm45v.safetensors_header import LENGTH_BYTES
from tests.checkpoint_forms import config_with, per_expert, random_weights
from tests.conversion.forms import (
    COMPRESSED_TENSORS,
    SMALL,
    Raw,
    contents,
    fp8_by_row,
    in_bf16,
    raws,
    write_source,
)
from tests.conversion.interrupted_fetching import (
    RECIPE,
    REPO,
    killed_after_bytes,
    killed_after_seconds,
    killed_when,
)
from tests.hub.stand_in import Fault, StandInHub, point_to, stand_in_hub

SHARDS = 4
NAMES = [f"model-{n:05d}-of-{SHARDS:05d}.safetensors" for n in range(1, SHARDS + 1)]
NO_RANGES = [Fault(ignore_range=True)]
Files = dict[str, bytes]


def in_a_row(stored: dict[str, Raw], shards: int) -> dict[str, Raw]:
    """The order that makes `write_source` cut the sorted names into stretches."""
    stretches = [list(part) for part in np.array_split(sorted(stored), shards)]
    longest = len(stretches[0])
    names = [part[i] for i in range(longest) for part in stretches if i < len(part)]
    return {str(name): stored[str(name)] for name in names}


def plain_files(folder: Path, *, seed: int = 7, shuffled: int | None = 1) -> Files:
    """bf16, one tensor for each expert; a layer's experts lie in all shards."""
    stored = raws(in_bf16(per_expert(random_weights(SMALL, seed=seed))))
    write_source(folder, SMALL, stored, shards=SHARDS, seed=shuffled)
    (folder / "tokenizer.json").write_text('"tokenizer"')
    return contents(folder)


def fp8_files(folder: Path, *, shuffled: int | None = None) -> Files:
    """Scales beside their weights, so that some pairs are cut apart."""
    config = config_with(
        text_config=SMALL["text_config"], quantization_config=COMPRESSED_TENSORS
    )
    stored, _ = fp8_by_row(random_weights(SMALL))
    stored = in_a_row(stored, SHARDS)
    write_source(folder, config, stored, shards=SHARDS, seed=shuffled)
    return contents(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return plain_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def wanted(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What the ordinary conversion makes of the same repository."""
    folder = tmp_path_factory.mktemp("wanted")
    with pytest.MonkeyPatch.context() as patch:
        return converted_whole(files, folder, patch)


def converted_whole(files: Files, folder: Path, patch: pytest.MonkeyPatch) -> Files:
    with stand_in_hub({REPO: files}) as hub:
        point_to(hub, patch)
        cache = str(folder / "cache")
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", cache)
        convert(REPO, folder / "out", recipe=RECIPE)
    return contents(folder / "out")


@pytest.fixture
def hub(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub({REPO: dict(files)}) as hub:
        point_to(hub, monkeypatch)
        yield hub


def fetched(tmp_path: Path, **changes: Any) -> Files:
    """Convert by shard into `out`, and read what came of it."""
    given = {"recipe": RECIPE, "cache_dir": tmp_path / "cache", "retry_waits": (0.0,)}
    convert_by_shard(REPO, tmp_path / "out", **{**given, **changes})
    return contents(tmp_path / "out")


def on_disk(target: Path) -> set[str]:
    """The shards that lie there, whole or in part."""
    found = (path.name for path in (target / ".source").glob("model-*"))
    return {name.removesuffix(".part") for name in found}


def data_requests(hub: StandInHub) -> list[tuple[str, str | None]]:
    """What was asked for of the shards beside their headers."""
    asked = ((path.rpartition("/")[2], byte_range) for path, byte_range in hub.seen)
    return [
        (name, byte_range)
        for name, byte_range in asked
        if name.endswith(".safetensors")
        and not (byte_range or "").startswith("bytes=0-")
    ]


# The result, and what it takes.


def test_the_result_is_that_of_the_ordinary_conversion(
    hub: StandInHub, wanted: Files, tmp_path: Path
):
    assert fetched(tmp_path) == wanted
    assert sorted(data_requests(hub)) == [(name, None) for name in NAMES]


def test_scales_in_the_next_file_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = fp8_files(tmp_path / "files")
    wanted = converted_whole(files, tmp_path, monkeypatch)
    shutil.rmtree(tmp_path / "out")
    with stand_in_hub({REPO: files}) as hub:
        point_to(hub, monkeypatch)
        seen: list[set[str]] = []
        found = fetched(
            tmp_path, progress=lambda _: seen.append(on_disk(tmp_path / "out"))
        )
    assert found == wanted
    assert max(map(len, seen)) == 2


def test_a_file_of_nothing_but_left_out_layers_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stored = raws(in_bf16(per_expert(random_weights(SMALL))))
    beyond = {
        name.replace("layers.1.", "layers.2."): tensor
        for name, tensor in stored.items()
        if "language_model.layers.1." in name
    }
    kept, left_out = tmp_path / "kept", tmp_path / "left out"
    only = next(write_source(kept, SMALL, stored).glob("*.safetensors"))
    more = next(write_source(left_out, SMALL, beyond).glob("*.safetensors"))
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    files = {
        "config.json": (kept / "config.json").read_bytes(),
        names[0]: only.read_bytes(),
        names[1]: more.read_bytes(),
    }
    with stand_in_hub({REPO: files}) as hub:
        point_to(hub, monkeypatch)
        needs: list[FetchNeeds] = []
        fetched(tmp_path, announce=needs.append)
        assert needs[0].to_fetch == len(files[names[0]])
        assert len(hub.ranges_of(names[1])) == 2


def test_scales_far_from_their_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with stand_in_hub({REPO: fp8_files(tmp_path / "files", shuffled=3)}) as hub:
        point_to(hub, monkeypatch)
        with pytest.raises(ConversionError, match=r"4 of them .* without --fetch-by"):
            fetched(tmp_path)
        assert data_requests(hub) == []


@pytest.mark.usefixtures("hub")
def test_two_shards_lie_there_at_most_and_none_in_the_end(
    tmp_path: Path,
):
    target = tmp_path / "out"
    seen: list[set[str]] = []
    fetched(tmp_path, progress=lambda _: seen.append(on_disk(target)))
    assert max(map(len, seen)) == 2
    assert set.union(*seen) == set(NAMES)
    assert not (target / ".source").exists()


def test_only_headers_are_fetched_before_everything_is_planned(
    hub: StandInHub, files: Files, tmp_path: Path
):
    before: list[list[str | None]] = []
    needs: list[FetchNeeds] = []

    def announced(found: FetchNeeds) -> None:
        needs.append(found)
        before.extend(hub.ranges_of(name) for name in NAMES)
        assert not (tmp_path / "out").exists()

    found = fetched(tmp_path, announce=announced)
    lengths = [int.from_bytes(files[name][:LENGTH_BYTES], "little") for name in NAMES]
    assert before == [
        ["bytes=0-7", f"bytes=0-{LENGTH_BYTES + length - 1}"] for length in lengths
    ]
    sizes = sorted(len(files[name]) for name in NAMES)
    assert needs[0].to_fetch == sum(sizes)
    assert needs[0].at_a_time == sum(sizes[-2:])
    assert needs[0].output == len(found["model.safetensors"])
    assert needs[0].there == 0
    assert "in 4 files are fetched one by one" in str(needs[0])


def test_a_disk_too_small_for_output_and_two_shards_is_refused_first(
    hub: StandInHub, wanted: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spare = 64_000_000
    sizes = sorted(len(hub.files[REPO][name]) for name in NAMES)
    needed = len(wanted["model.safetensors"]) + sum(sizes[-2:]) + spare
    usage = namedtuple("usage", "total used free")

    def disk(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, free))

    disk(needed - 1)
    monkeypatch.setattr(
        "mlx_glm45v.hub.cache.shutil.disk_usage", lambda _: usage(0, 0, needed - 1)
    )
    with pytest.raises(ConversionError, match=r"GB free, .* GB are needed"):
        fetched(tmp_path)
    assert data_requests(hub) == []
    assert not (tmp_path / "out").exists()
    disk(needed)
    assert fetched(tmp_path) == wanted


@pytest.mark.usefixtures("hub")
def test_progress_counts_both_kinds_of_bytes_to_the_end(files: Files, tmp_path: Path):
    seen: list[Progress] = []
    fetched(tmp_path, progress=seen.append)
    for stage in ("download", "convert"):
        ours = [value for value in seen if value.stage == stage]
        assert all(a.done <= b.done for a, b in pairwise(ours))
        assert ours[-1].done == ours[-1].total == {v.total for v in ours}.pop()
    fetched_bytes = next(v.total for v in seen if v.stage == "download")
    assert fetched_bytes == sum(len(files[name]) for name in NAMES)


# What goes wrong at the Hub.


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(), Fault(), Fault(drop_after=40_000), Fault(drop_after=9000)],
        [Fault(), Fault(), Fault(status=503)],
        [Fault(status=500), Fault(), Fault(status=429, headers={"Retry-After": "0"})],
        [Fault(drop_after=0), Fault(), Fault(drop_after=40_000), Fault(status=502)],
        [
            Fault(),
            Fault(ignore_range=True),
            Fault(drop_after=9),
            Fault(ignore_range=True),
        ],
    ],
    ids=["drops", "503", "500 and 429", "header drops", "no ranges"],
)
def test_passing_faults_change_nothing(
    hub: StandInHub, wanted: Files, tmp_path: Path, faults: list[Fault]
):
    hub.faults[NAMES[1]] = faults
    assert fetched(tmp_path) == wanted
    assert hub.faults[NAMES[1]] == []


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault(status=503), "try later"),
        (Fault(status=429), "wait a few minutes"),
        (Fault(status=401), "hf auth login"),
        (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}), "accept them on"),
        (Fault(drop_after=0), "start again to go on"),
        (Fault(content=bytes(1000)), "lists"),
    ],
)
@pytest.mark.parametrize("when", ["header", "data"])
def test_lasting_faults_say_what_to_do_and_the_next_run_goes_on(
    hub: StandInHub,
    wanted: Files,
    tmp_path: Path,
    fault: Fault,
    advice: str,
    when: str,
):
    before = [] if when == "header" else [Fault(), Fault()]
    hub.faults[NAMES[2]] = [*before, fault, fault]
    with pytest.raises(DownloadError, match=advice):
        fetched(tmp_path)
    assert (tmp_path / "out").exists() == (when == "data")
    hub.faults.clear()
    hub.seen.clear()
    assert fetched(tmp_path) == wanted
    if when == "data":
        assert NAMES[0] not in dict(data_requests(hub))


def test_a_size_that_is_not_the_files_is_refused_before_any_weights(
    hub: StandInHub, tmp_path: Path
):
    hub.listed_sizes[NAMES[3]] = 10**9
    with pytest.raises(DownloadError, match=r"is sent with \d+ bytes, .* lists 10{9};"):
        fetched(tmp_path)
    assert data_requests(hub) == []
    assert not (tmp_path / "out").exists()


def test_a_damaged_shard_is_fetched_again(
    hub: StandInHub, files: Files, wanted: Files, tmp_path: Path
):
    damaged = files[NAMES[1]][:-1] + b"?"
    hub.faults[NAMES[1]] = [Fault(), Fault(), Fault(content=damaged)]
    with pytest.raises(DownloadError, match=r"damaged: its checksum is .* start"):
        fetched(tmp_path)
    assert fetched(tmp_path) == wanted


def test_a_header_that_lies_is_refused_before_any_weights(
    hub: StandInHub, tmp_path: Path
):
    hub.files[REPO][NAMES[0]] = b"\xff" * 5000
    with pytest.raises(CheckpointError, match=r"announces? a header of"):
        fetched(tmp_path)
    assert data_requests(hub) == []


@pytest.mark.parametrize(
    ("offline", "advice"),
    [(False, r"cannot be reached .*HF_ENDPOINT"), (True, r"unset HF_HUB_OFFLINE")],
)
@pytest.mark.usefixtures("hub")
def test_offline_says_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    offline: bool,
    advice: str,
):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    with pytest.raises(DownloadError, match=advice):
        fetched(tmp_path)


@pytest.mark.parametrize("name", ["demo", "."])
def test_what_lies_here_needs_no_fetching(name: str, tmp_path: Path):
    with pytest.raises(ConversionError, match=r"without --fetch-by-shard"):
        convert_by_shard(name, tmp_path / "out", recipe=RECIPE)


# Runs that end early, and what happens until the next.


def stopped_in_the_middle(hub: StandInHub, tmp_path: Path) -> None:
    """A run that loses its line in the third shard."""
    hub.faults[NAMES[2]] = [Fault(), Fault(), *[Fault(drop_after=0)] * 2]
    with pytest.raises(DownloadError):
        fetched(tmp_path)
    hub.faults.clear()
    hub.seen.clear()


def test_a_branch_that_moved_on_is_not_followed(
    hub: StandInHub, files: Files, wanted: Files, tmp_path: Path
):
    stopped_in_the_middle(hub, tmp_path)
    hub.older[hub.commit] = files
    hub.commit = "f" * 40
    hub.files[REPO] = plain_files(tmp_path / "newer", seed=8)
    assert fetched(tmp_path) == wanted


def test_a_shard_that_changed_is_named(hub: StandInHub, tmp_path: Path):
    stopped_in_the_middle(hub, tmp_path)
    changed = hub.files[REPO][NAMES[1]]
    hub.files[REPO][NAMES[1]] = changed[:-1] + bytes([changed[-1] ^ 1])
    with pytest.raises(
        ConversionError, match=rf"source differs in {NAMES[1]}\..*--overwrite"
    ):
        fetched(tmp_path)
    found = fetched(tmp_path, overwrite=True)
    assert found.keys() >= {"model.safetensors", "config.json"}
    assert sorted(data_requests(hub)) == [(name, None) for name in NAMES]


def test_the_ordinary_conversion_tidies_up_what_was_fetched(
    hub: StandInHub, wanted: Files, files: Files, tmp_path: Path
):
    stopped_in_the_middle(hub, tmp_path)
    target = tmp_path / "out"
    assert on_disk(target)
    for name, content in files.items():
        (tmp_path / "whole").mkdir(exist_ok=True)
        (tmp_path / "whole" / name).write_bytes(content)
    with pytest.raises(ConversionError, match="source differs in"):
        convert(tmp_path / "whole", target, recipe=RECIPE)
    convert(tmp_path / "whole", target, recipe=RECIPE, overwrite=True)
    assert contents(target)["model.safetensors"] == wanted["model.safetensors"]
    assert not (target / ".source").exists()


def test_what_cannot_be_read_back_keeps_its_source(
    hub: StandInHub, wanted: Files, tmp_path: Path
):
    target = tmp_path / "out"
    damaged: list[int] = []

    def damage(value: Progress) -> None:
        if value.stage == "convert" and value.done and not damaged:
            with (target / temporary_name("model.safetensors")).open("r+b") as stream:
                content = stream.read()
                header = LENGTH_BYTES + int.from_bytes(content[:8], "little")
                first = next(i for i in range(header, len(content)) if content[i])
                stream.seek(first)
                stream.write(bytes([content[first] ^ 1]))
                damaged.append(first)

    with pytest.raises(ConversionError, match=r"cannot be read back .* check the disk"):
        fetched(tmp_path, progress=damage)
    assert NAMES[0] in on_disk(target)
    hub.seen.clear()
    assert fetched(tmp_path) == wanted
    assert NAMES[0] not in dict(data_requests(hub))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_is_explained(
    hub: StandInHub, wanted: Files, tmp_path: Path
):
    stopped_in_the_middle(hub, tmp_path)
    part = tmp_path / "out" / ".source" / f"{NAMES[2]}.part"
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"is full; make room, or choose a target"):
        fetched(tmp_path)
    part.unlink()
    assert fetched(tmp_path) == wanted


def test_a_shard_spoilt_between_two_runs_is_not_believed(
    hub: StandInHub, wanted: Files, tmp_path: Path
):
    stopped_in_the_middle(hub, tmp_path)
    whole = tmp_path / "out" / ".source" / NAMES[3]
    whole.write_bytes(bytes(len(hub.files[REPO][NAMES[3]])))
    with pytest.raises(DownloadError, match=r"0000[34]-of.* damaged"):
        fetched(tmp_path)
    assert fetched(tmp_path) == wanted


def hanging(hub: StandInHub, phase: str) -> None:
    before = [Fault()] if phase == "header" else [Fault(), Fault()]
    hub.faults[NAMES[1]] = [*before, Fault(hang_after=4)]


@pytest.mark.parametrize("phase", ["header", "data"])
def test_stopping_takes_effect_within_a_second(
    hub: StandInHub, wanted: Files, tmp_path: Path, phase: str
):
    hanging(hub, phase)
    asked_at: list[float] = []

    def should_stop() -> bool:
        hangs = len(hub.ranges_of(NAMES[1])) == (2 if phase == "header" else 3)
        if hangs and (phase == "header" or JOURNAL_NAME in contents_names(tmp_path)):
            asked_at.append(time.monotonic())
        return bool(asked_at)

    with pytest.raises(Cancelled):
        fetched(tmp_path, should_stop=should_stop)
    assert time.monotonic() - asked_at[0] < 1.0
    hub.ending.set()  # what hangs lets go
    assert fetched(tmp_path) == wanted


def contents_names(tmp_path: Path) -> set[str]:
    target = tmp_path / "out"
    return {path.name for path in target.iterdir()} if target.exists() else set()


@pytest.fixture(scope="module")
def in_child() -> Callable[..., int]:
    """Call a function in a fresh process; its exit code."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.conversion.interrupted_fetching"])

    def call(function: Callable[..., None], *arguments: Any) -> int:
        process = context.Process(target=function, args=arguments)
        process.start()
        process.join(60)
        assert process.exitcode is not None
        return process.exitcode

    return call


def check_resumed(hub: StandInHub, wanted: Files, tmp_path: Path) -> None:
    """No shard is fetched again that was here, whole or in part, or was done with."""
    source = tmp_path / "out" / ".source"
    there = {path.name: path.stat().st_size for path in source.glob("model-*")}
    begun = min(there, default=NAMES[0]).removesuffix(".part")
    hub.seen.clear()
    seen: list[set[str]] = []
    out = tmp_path / "out"
    assert fetched(tmp_path, progress=lambda _: seen.append(on_disk(out))) == wanted
    assert max(map(len, seen)) <= 2
    for name, byte_range in data_requests(hub):
        assert name >= begun
        assert name not in there
        have = there.get(f"{name}.part", 0)
        assert byte_range == (f"bytes={have}-" if have else None)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8, 0.99, 1.0])
def test_killed_anywhere_in_the_conversion_it_goes_on(
    hub: StandInHub,
    wanted: Files,
    in_child: Callable[..., int],
    tmp_path: Path,
    share: float,
):
    calls: list[Progress] = []
    out = tmp_path / "counted"
    convert_by_shard(
        REPO, out, recipe=RECIPE, cache_dir=tmp_path / "cache", progress=calls.append
    )
    shutil.rmtree(out)
    count = sum(value.stage == "convert" for value in calls)
    call = max(1, int(count * share))
    place = (hub.url, tmp_path / "out", tmp_path / "cache")
    assert in_child(killed_when, *place, "convert", call) == -signal.SIGKILL
    check_resumed(hub, wanted, tmp_path)


def test_killed_at_random_moments_it_goes_on(
    hub: StandInHub, wanted: Files, in_child: Callable[..., int], tmp_path: Path
):
    started = time.perf_counter()
    place = (hub.url, tmp_path / "whole", tmp_path / "cache")
    assert in_child(killed_after_seconds, *place, 60.0) == 0
    seconds = time.perf_counter() - started
    for number in range(5):
        folder = tmp_path / str(number)
        place = (hub.url, folder / "out", folder / "cache")
        in_child(killed_after_seconds, *place, random.uniform(0, seconds))
        done = (folder / "out" / "README.md").exists()
        if done and not (folder / "out" / JOURNAL_NAME).exists():
            assert contents(folder / "out") == wanted
        else:
            check_resumed(hub, wanted, folder)


def test_killed_while_a_shard_comes_it_goes_on_in_its_middle(
    hub: StandInHub, wanted: Files, in_child: Callable[..., int], tmp_path: Path
):
    hub.faults[NAMES[1]] = [Fault(), Fault(), Fault(hang_after=30_000)]
    nbytes = len(hub.files[REPO][NAMES[0]]) + 30_000
    place = (hub.url, tmp_path / "out", tmp_path / "cache")
    assert in_child(killed_after_bytes, *place, nbytes) == -signal.SIGKILL
    hub.ending.set()
    assert os.path.getsize(tmp_path / "out/.source" / f"{NAMES[1]}.part") == 30_000
    check_resumed(hub, wanted, tmp_path)
    assert (NAMES[1], "bytes=30000-") in data_requests(hub)
