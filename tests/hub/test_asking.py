"""The start of a remote file is read by range, whatever the server makes of it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from mlx_glm45v.errors import Cancelled, DownloadError
from mlx_glm45v.hub.asking import RemoteFile, read_start
from tests.hub.stand_in import COMMIT, Fault, StandInHub, point_to, stand_in_hub

CONTENT = bytes(range(256)) * 4000
NAME = "x.safetensors"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    with stand_in_hub({"a/b": {NAME: CONTENT}}) as hub:
        point_to(hub, monkeypatch)
        yield hub


@pytest.fixture
def remote(hub: StandInHub) -> RemoteFile:
    return RemoteFile(
        url=f"{hub.url}/a/b/resolve/{COMMIT}/{NAME}",
        size=len(CONTENT),
        digest=hashlib.sha256(CONTENT).hexdigest(),
        kind="sha256",
    )


def start_of(remote: RemoteFile, count: int) -> bytes:
    return read_start(
        remote, count, headers={}, stop=threading.Event(), retry_waits=(0.0,)
    )


@pytest.mark.parametrize("count", [1, 8, 300_000, len(CONTENT), len(CONTENT) + 1])
def test_so_many_bytes_are_asked_for_and_no_more(
    hub: StandInHub, remote: RemoteFile, count: int
):
    assert start_of(remote, count) == CONTENT[:count]
    last = min(count, len(CONTENT)) - 1
    assert hub.ranges_of(NAME) == [f"bytes=0-{last}"]


def test_an_empty_file_is_not_asked_for(hub: StandInHub, remote: RemoteFile):
    assert start_of(replace(remote, size=0), 8) == b""
    assert hub.seen == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(ignore_range=True),
        Fault(drop_after=0),
        Fault(drop_after=5),
        Fault(status=503),
        Fault(status=429, headers={"Retry-After": "0"}),
    ],
)
def test_passing_faults_are_tried_again(
    hub: StandInHub, remote: RemoteFile, fault: Fault
):
    hub.faults[NAME] = [fault]
    assert start_of(remote, 8) == CONTENT[:8]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=503), HfHubHTTPError),
        (Fault(status=404), HfHubHTTPError),
        (Fault(drop_after=5), httpx2.TransportError),
    ],
)
def test_lasting_faults_are_raised(
    hub: StandInHub, remote: RemoteFile, fault: Fault, error: type[Exception]
):
    hub.faults[NAME] = [fault, fault]
    with pytest.raises(error):
        start_of(remote, 8)


@pytest.mark.parametrize("fault", [Fault(), Fault(ignore_range=True)])
def test_another_size_than_the_listed_one_is_told(
    hub: StandInHub, remote: RemoteFile, fault: Fault
):
    hub.faults[NAME] = [fault]
    with pytest.raises(DownloadError, match=r"sent with 1024000 bytes, .* lists 9;"):
        start_of(replace(remote, size=9), 8)


def test_a_stop_is_heeded(remote: RemoteFile):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        read_start(remote, 8, headers={}, stop=stop)
