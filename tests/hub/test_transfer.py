"""One file arrives whole and once, or its bytes wait for the next attempt."""

from __future__ import annotations

import fcntl
import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.hub.asking import RemoteFile
from mlx_glm45v.hub.transfer import fetch, part_of
from tests.hub.stand_in import COMMIT, StandInHub, point_to, stand_in_hub

CONTENT = bytes(range(256)) * 8000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub({"a/b": {"x.safetensors": CONTENT}}) as hub:
        point_to(hub, monkeypatch)
        yield hub


@pytest.fixture
def remote(hub: StandInHub) -> RemoteFile:
    return RemoteFile(
        url=f"{hub.url}/a/b/resolve/{COMMIT}/x.safetensors",
        size=len(CONTENT),
        digest=hashlib.sha256(CONTENT).hexdigest(),
        kind="sha256",
    )


def test_nothing_is_written_after_a_stop(remote: RemoteFile, tmp_path: Path):
    stop = threading.Event()
    sizes: list[int] = []

    def stop_at_the_first_bytes(size: int) -> None:
        sizes.append(size)
        if size:
            stop.set()

    destination = tmp_path / "x"
    with pytest.raises(Cancelled):
        fetch(
            remote, destination, headers={}, stop=stop, on_size=stop_at_the_first_bytes
        )
    assert part_of(destination).stat().st_size == sizes[-1] < len(CONTENT)
    assert not destination.exists()


def test_a_part_that_is_too_long_is_fetched_anew(
    hub: StandInHub, remote: RemoteFile, tmp_path: Path
):
    destination = tmp_path / "x"
    part_of(destination).write_bytes(bytes(len(CONTENT) + 1))
    fetch(remote, destination, headers={}, stop=threading.Event())
    assert destination.read_bytes() == CONTENT
    assert hub.ranges_of("x.safetensors") == [None]


def test_a_complete_part_is_verified_without_asking_again(
    hub: StandInHub, remote: RemoteFile, tmp_path: Path
):
    destination = tmp_path / "x"
    part_of(destination).write_bytes(CONTENT)
    fetch(remote, destination, headers={}, stop=threading.Event())
    assert destination.read_bytes() == CONTENT
    assert hub.seen == []


def test_a_file_another_process_is_fetching_is_waited_for(
    hub: StandInHub, remote: RemoteFile, tmp_path: Path
):
    destination = tmp_path / "x"
    with ThreadPoolExecutor() as pool, part_of(destination).open("wb") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        ours = pool.submit(
            fetch, remote, destination, headers={}, stop=threading.Event()
        )
        theirs.write(CONTENT)
        theirs.flush()
        part_of(destination).rename(destination)
        theirs.close()
        ours.result(5)
    assert destination.read_bytes() == CONTENT
    assert hub.seen == []
    assert not part_of(destination).exists()
