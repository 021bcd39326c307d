"""A repository becomes a folder of the cache, over connections that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download, try_to_load_from_cache

from mlx_glm45v.errors import Cancelled, CheckpointError, DownloadError
from mlx_glm45v.hub.download import download
from mlx_glm45v.progress import Progress
from tests.hub.stand_in import COMMIT, Fault, StandInHub, point_to, stand_in_hub

REPO = "somebody/tiny"
SHARD = "model-00001-of-00002.safetensors"
OTHER_SHARD = "model-00002-of-00002.safetensors"
FILES = {
    "config.json": b'{"model_type": "glm4v_moe"}',
    "tokenizer.json": b"{}",
    "README.md": b"not needed",
    "original/consolidated.safetensors": b"not needed either",
    "model.safetensors.index.json": b"{}",
    SHARD: bytes(range(256)) * 4000,
    OTHER_SHARD: b"second" * 1000,
}

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub({REPO: dict(FILES)}) as hub:
        point_to(hub, monkeypatch)
        yield hub


def test_only_the_needed_files_arrive_and_unchanged(tmp_path: Path):
    folder = download(REPO, cache_dir=tmp_path)
    needed = {name for name in FILES if "/" not in name and name != "README.md"}
    assert {file.name for file in folder.iterdir()} == needed
    assert all((folder / name).read_bytes() == FILES[name] for name in needed)


def test_huggingface_hub_finds_what_was_fetched(tmp_path: Path):
    folder = download(REPO, cache_dir=tmp_path)
    assert folder == Path(
        snapshot_download(REPO, cache_dir=tmp_path, local_files_only=True)
    )
    assert try_to_load_from_cache(REPO, SHARD, cache_dir=tmp_path) == str(
        folder / SHARD
    )


def test_what_is_there_is_not_fetched_again(hub: StandInHub, tmp_path: Path):
    download(REPO, cache_dir=tmp_path)
    hub.seen.clear()
    download(REPO, cache_dir=tmp_path)
    assert [path for path, _ in hub.seen] == [f"/api/models/{REPO}"]


def test_a_dropped_connection_goes_on_where_it_stopped(hub: StandInHub, tmp_path: Path):
    hub.faults[SHARD] = [Fault(drop_after=300_000), Fault(drop_after=500_000)]
    folder = download(REPO, cache_dir=tmp_path, retry_waits=(0.0,))
    assert (folder / SHARD).read_bytes() == FILES[SHARD]
    assert hub.ranges_of(SHARD) == [None, "bytes=300000-", "bytes=800000-"]


def test_the_next_download_goes_on_where_the_last_one_failed(
    hub: StandInHub, tmp_path: Path
):
    hub.faults[SHARD] = [Fault(drop_after=300_000)]
    with pytest.raises(DownloadError, match="start again"):
        download(REPO, cache_dir=tmp_path, retry_waits=())
    folder = download(REPO, cache_dir=tmp_path, retry_waits=())
    assert (folder / SHARD).read_bytes() == FILES[SHARD]
    assert hub.ranges_of(SHARD)[-1] == "bytes=300000-"


def test_a_server_that_ignores_ranges_sends_the_file_anew(
    hub: StandInHub, tmp_path: Path
):
    hub.faults[SHARD] = [Fault(drop_after=300_000), Fault(ignore_range=True)]
    folder = download(REPO, cache_dir=tmp_path, retry_waits=(0.0,))
    assert (folder / SHARD).read_bytes() == FILES[SHARD]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(status=500),
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault(status=408),
        Fault(drop_after=0),
    ],
)
def test_passing_faults_are_tried_again(hub: StandInHub, tmp_path: Path, fault: Fault):
    hub.faults[SHARD] = [fault]
    folder = download(REPO, cache_dir=tmp_path, retry_waits=(0.0,))
    assert (folder / SHARD).read_bytes() == FILES[SHARD]


def test_a_listing_is_asked_for_again_after_a_passing_fault(
    hub: StandInHub, tmp_path: Path
):
    hub.faults[f"/api/models/{REPO}"] = [Fault(status=502)]
    assert download(REPO, cache_dir=tmp_path, retry_waits=(0.0,)).is_dir()


@pytest.mark.parametrize(
    ("path", "fault", "advice"),
    [
        (SHARD, Fault(status=503), "try later"),
        (SHARD, Fault(status=429), "wait a few minutes"),
        (SHARD, Fault(status=401), "hf auth login"),
        (SHARD, Fault(status=403), "hf auth login"),
        (SHARD, Fault(403, {"X-Error-Code": "GatedRepo"}), "accept them on"),
        (SHARD, Fault(status=410), "HF_ENDPOINT"),
        (SHARD, Fault(content=b"short"), "lists 1024000"),
        (SHARD, Fault(content=bytes(2_000_000)), "lists 1024000"),
        (SHARD, Fault(content=bytes(1_024_000)), "damaged"),
        ("config.json", Fault(content=bytes(27)), "damaged"),
        (f"/api/models/{REPO}", Fault(status=503), "try later"),
        (f"/api/models/{REPO}", Fault(status=401), "hf auth login"),
        (f"/api/models/{REPO}", Fault(403, {"X-Error-Code": "GatedRepo"}), "accept"),
    ],
)
def test_lasting_faults_say_what_to_do(
    hub: StandInHub, tmp_path: Path, path: str, fault: Fault, advice: str
):
    hub.faults[path] = [fault, fault]
    with pytest.raises(DownloadError, match=advice) as caught:
        download(REPO, cache_dir=tmp_path, retry_waits=(0.0,))
    assert "tiny" in str(caught.value)


def test_a_misspelt_repository_mentions_the_local_folder_too(tmp_path: Path):
    with pytest.raises(DownloadError, match=r"no repository some/body.*no folder"):
        download("some/body", cache_dir=tmp_path)


def test_an_unknown_revision_is_named(tmp_path: Path):
    with pytest.raises(DownloadError, match="no revision 'missing'"):
        download(REPO, revision="missing", cache_dir=tmp_path)


def test_a_repository_without_weights_is_refused(hub: StandInHub, tmp_path: Path):
    hub.files["somebody/gguf"] = {"config.json": b"{}", "model.gguf": b""}
    with pytest.raises(DownloadError, match=r"no config\.json with"):
        download("somebody/gguf", cache_dir=tmp_path)


def test_a_disk_without_room_is_refused_before_any_weights(
    hub: StandInHub, tmp_path: Path
):
    hub.listed_sizes[SHARD] = 10**17
    with pytest.raises(DownloadError, match=r"needs 1000000\d\d.\d GB .* make room"):
        download(REPO, cache_dir=tmp_path)
    assert hub.ranges_of(SHARD) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_disk_that_fills_up_is_explained(hub: StandInHub, tmp_path: Path):
    blobs = tmp_path / "models--somebody--tiny" / "blobs"
    blobs.mkdir(parents=True)
    sibling = hub._sibling(SHARD, FILES[SHARD])
    (blobs / f"{sibling['lfs']['sha256']}.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"disk of .* is full"):
        download(REPO, cache_dir=tmp_path)


def test_configs_are_checked_before_the_weights_are_fetched(
    hub: StandInHub, tmp_path: Path
):
    def refuse(folder: Path) -> None:
        assert (folder / "config.json").read_bytes() == FILES["config.json"]
        raise CheckpointError("not this one")

    with pytest.raises(CheckpointError, match="not this one"):
        download(REPO, cache_dir=tmp_path, check=refuse)
    assert hub.ranges_of(SHARD) == []


def test_without_a_connection_the_fetched_revision_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = download(REPO, cache_dir=tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert download(REPO, cache_dir=tmp_path) == folder
    assert folder.name == COMMIT


def test_without_a_connection_an_unfinished_download_does_not_serve(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    hub.faults[SHARD] = [Fault(drop_after=300_000)]
    with pytest.raises(DownloadError):
        download(REPO, cache_dir=tmp_path, retry_waits=())
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="cannot be reached"):
        download(REPO, cache_dir=tmp_path)


def test_progress_counts_the_bytes_of_the_weights_to_the_end(tmp_path: Path):
    seen: list[Progress] = []
    download(REPO, cache_dir=tmp_path, progress=seen.append)
    total = len(FILES[SHARD]) + len(FILES[OTHER_SHARD])
    assert seen[0] == Progress("download", 0, total, REPO)
    assert seen[-1].done == seen[-1].total == total
    assert all(a.done <= b.done for a, b in pairwise(seen))


def test_stopping_takes_effect_within_a_second_and_keeps_the_bytes(
    hub: StandInHub, tmp_path: Path
):
    hub.faults[SHARD] = [Fault(hang_after=300_000)]
    part = tmp_path / "models--somebody--tiny" / "blobs"
    asked_at: list[float] = []

    def should_stop() -> bool:
        arrived = any(f.stat().st_size >= 300_000 for f in part.glob("*.part"))
        if arrived:
            asked_at.append(time.monotonic())
        return arrived

    with pytest.raises(Cancelled):
        download(REPO, cache_dir=tmp_path, should_stop=should_stop)
    assert time.monotonic() - asked_at[0] < 1.0
    # On a busy machine another small file may still be under way as well.
    assert 300_000 in [f.stat().st_size for f in part.glob("*.part")]


def test_stopping_takes_effect_while_a_retry_is_waited_for(
    hub: StandInHub, tmp_path: Path
):
    hub.faults[f"/api/models/{REPO}"] = [Fault(status=503)]
    started = time.monotonic()
    with pytest.raises(Cancelled):
        download(
            REPO,
            cache_dir=tmp_path,
            should_stop=lambda: bool(hub.seen),
            retry_waits=(60.0,),
        )
    assert time.monotonic() - started < 5.0
