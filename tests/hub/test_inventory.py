"""What lies in the cache is listed with its size, and goes when it is to go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlx_glm45v.errors import DownloadError
from mlx_glm45v.hub.download import download, open_repository
from mlx_glm45v.hub.inventory import cached_repos, delete_repo
from tests.hub.stand_in import point_to, stand_in_hub

REPO = "somebody/tiny"
SHARD = "model-00001-of-00001.safetensors"
FILES = {
    "config.json": b'{"model_type": "glm4v_moe"}',
    "model.safetensors.index.json": json.dumps({"weight_map": {"a": SHARD}}).encode(),
    SHARD: bytes(3000),
}


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch):
    with stand_in_hub({REPO: dict(FILES)}) as hub:
        point_to(hub, monkeypatch)
        yield hub


def test_a_fetched_repository_is_complete(tmp_path: Path):
    folder = download(REPO, cache_dir=tmp_path)
    (found,) = cached_repos(cache_dir=tmp_path)
    assert (found.repo_id, found.state, found.folder) == (REPO, "complete", folder)
    content = sum(len(each) for each in FILES.values())
    assert content <= found.nbytes <= content + 100


def test_without_its_weights_it_is_partial(tmp_path: Path):
    folder = open_repository(REPO, cache_dir=tmp_path).folder
    (found,) = cached_repos(cache_dir=tmp_path)
    assert (found.state, found.folder) == ("partial", folder)


def test_a_shard_that_is_missing_makes_it_partial(tmp_path: Path):
    folder = download(REPO, cache_dir=tmp_path)
    (folder / SHARD).resolve().unlink()
    (found,) = cached_repos(cache_dir=tmp_path)
    assert found.state == "partial"


def test_an_unfinished_file_counts_with_what_is_there(tmp_path: Path):
    blobs = tmp_path / "models--somebody--tiny" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "abc.part").write_bytes(bytes(77))
    (found,) = cached_repos(cache_dir=tmp_path)
    assert (found.state, found.nbytes, found.folder) == ("partial", 77, None)


def test_a_deleted_repository_is_gone(tmp_path: Path):
    download(REPO, cache_dir=tmp_path)
    assert delete_repo(REPO, cache_dir=tmp_path) > 3000
    assert cached_repos(cache_dir=tmp_path) == ()


@pytest.mark.parametrize("name", ["nobody/nothing", "../tiny", "a/b/c"])
def test_what_is_not_there_cannot_be_deleted(tmp_path: Path, name: str):
    with pytest.raises(DownloadError):
        delete_repo(name, cache_dir=tmp_path / "cache")


def test_no_cache_is_an_empty_one(tmp_path: Path):
    assert cached_repos(cache_dir=tmp_path / "none") == ()
