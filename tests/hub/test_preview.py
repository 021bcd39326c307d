"""A look at a repository costs its small files only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlx_glm45v.errors import DownloadError
from mlx_glm45v.hub.download import download, preview
from tests.hub.stand_in import StandInHub, point_to, stand_in_hub

REPO = "somebody/tiny"
FILES = {
    "config.json": b'{"model_type": "glm4v_moe"}',
    "tokenizer.json": b"{}",
    "model-00001-of-00002.safetensors": b"first" * 100,
    "model-00002-of-00002.safetensors": b"second" * 100,
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub({REPO: dict(FILES)}) as hub:
        point_to(hub, monkeypatch)
        yield hub


def test_small_files_arrive_and_weights_are_only_added_up(
    hub: StandInHub, tmp_path: Path
):
    seen = preview(REPO, cache_dir=tmp_path)
    assert {file.name for file in seen.folder.iterdir()} == {
        "config.json",
        "tokenizer.json",
    }
    assert seen.weight_bytes == 1100
    assert not any(path.endswith(".safetensors") for path, _ in hub.seen)


@pytest.mark.usefixtures("hub")
def test_a_download_after_a_look_is_complete(tmp_path: Path):
    preview(REPO, cache_dir=tmp_path)
    folder = download(REPO, cache_dir=tmp_path)
    assert {file.name for file in folder.iterdir()} == set(FILES)


@pytest.mark.usefixtures("hub")
def test_without_a_connection_the_last_download_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = download(REPO, cache_dir=tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    seen = preview(REPO, cache_dir=tmp_path, retry_waits=())
    assert (seen.folder, seen.weight_bytes) == (folder, 1100)


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_is_explained(tmp_path: Path):
    with pytest.raises(DownloadError, match="no repository some/other"):
        preview("some/other", cache_dir=tmp_path)
