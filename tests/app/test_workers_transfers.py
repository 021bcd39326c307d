"""Downloads and conversions go on over pauses and restarts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.processes.link import JsonProcess
from app.workers.catalogue import Catalogue
from app.workers.rate import Rate
from app.workers.transfers import Transfers
from mlx_glm45v import resolve
from tests.hub.stand_in import Fault, StandInHub, stand_in_hub

REPO = "somebody/tiny"

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def hub(demo_folder: Path, tmp_path: Path, monkeypatch) -> Iterator[StandInHub]:
    files = {
        file.name: file.read_bytes() for file in demo_folder.iterdir() if file.is_file()
    }
    with stand_in_hub({REPO: files}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        yield hub


@pytest.fixture
def made(tmp_path: Path, qapp) -> Iterator:
    owners: list = []

    def make() -> Transfers:
        # Without a parent it would die with its last process, in that one's destructor.
        owner = Transfers(tmp_path / "transfers.json", tmp_path / "models", qapp)
        owners.append(owner)
        return owner

    yield make
    for owner in owners:
        owner.close()


def state_of(transfers: Transfers) -> list[str]:
    return [each.state for each in transfers.transfers]


@pytest.mark.usefixtures("hub")
def test_a_repository_arrives_and_is_listed(made, wait_until, tmp_path: Path):
    transfers, folders = made(), []
    transfers.finished.connect(lambda _transfer, folder: folders.append(folder))
    transfers.download(REPO)
    assert state_of(transfers) == ["running"]
    wait_until(lambda: folders, timeout=60)
    assert resolve(folders[0]).nbytes > 5_000_000
    assert state_of(transfers) == ["done"]
    assert json.loads((tmp_path / "transfers.json").read_text()) == []
    catalogue, lists = Catalogue(), []
    catalogue.changed.connect(lists.append)
    catalogue.refresh()
    wait_until(lambda: lists, timeout=60)
    catalogue.close()
    entry = catalogue.entry(REPO)
    assert entry is not None
    assert (entry.on_disk, entry.place) == ("ready", "hub")


def test_a_paused_download_goes_on_after_a_restart(hub, made, wait_until):
    hub.faults["model.safetensors"] = [Fault(hang_after=2_000_000)]
    first = made()
    first.download(REPO)
    wait_until(
        lambda: any(each.done >= 1_500_000 for each in first.transfers), timeout=60
    )
    first.pause(REPO)
    assert state_of(first) == ["paused"]
    second = made()
    (again,) = second.transfers
    assert (again.model, again.state, again.kind) == (REPO, "paused", "download")
    assert again.done >= 1_500_000
    second.resume(REPO)
    wait_until(lambda: state_of(second) == ["done"], timeout=60)
    assert any(asked for asked in hub.ranges_of("model.safetensors"))


def test_a_cancelled_download_leaves_nothing(hub, made, wait_until, tmp_path: Path):
    hub.faults["model.safetensors"] = [Fault(hang_after=1_000_000)]
    transfers, deleted = made(), []
    transfers.deleted.connect(deleted.append)
    transfers.download(REPO)
    wait_until(lambda: any(each.done for each in transfers.transfers), timeout=60)
    transfers.cancel(REPO)
    assert transfers.transfers == ()
    wait_until(lambda: deleted, timeout=60)
    assert not list((tmp_path / "cache").glob("models--*"))


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_there_says_so(made, wait_until):
    transfers = made()
    transfers.download("nobody/nothing")
    wait_until(lambda: state_of(transfers) == ["failed"], timeout=60)
    (failed,) = transfers.transfers
    assert failed.problem is not None
    assert "nobody/nothing" in failed.problem


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    hub, made, wait_until
):
    hub.listed_sizes["model.safetensors"] = 10**15
    transfers = made()
    transfers.download(REPO)
    wait_until(lambda: state_of(transfers) == ["failed"], timeout=60)
    assert "GB are free" in (transfers.transfers[0].problem or "")
    assert hub.ranges_of("model.safetensors") == []


def test_a_child_that_dies_is_a_failure_that_can_be_resumed(hub, made, wait_until):
    hub.faults["model.safetensors"] = [Fault(hang_after=1_000_000)]
    transfers = made()
    transfers.download(REPO)
    wait_until(lambda: any(each.done for each in transfers.transfers), timeout=60)
    transfers.findChild(JsonProcess).kill()
    wait_until(lambda: state_of(transfers) == ["failed"], timeout=60)
    transfers.resume(REPO)
    wait_until(lambda: state_of(transfers) == ["done"], timeout=60)


def test_a_folder_is_converted_into_the_apps_own(
    made, wait_until, demo_folder: Path, tmp_path: Path
):
    transfers, folders = made(), []
    transfers.finished.connect(lambda _transfer, folder: folders.append(folder))
    transfers.convert(str(demo_folder), "4bit")
    wait_until(lambda: folders or "failed" in state_of(transfers), timeout=120)
    assert folders == [tmp_path / "models" / f"{demo_folder.name}-4bit"]
    assert resolve(folders[0]).quantization is not None


def test_what_is_remembered_badly_is_forgotten(made, tmp_path: Path):
    (tmp_path / "transfers.json").write_text('[{"model": 1, "colour": "red"}]')
    assert made().transfers == ()


def test_the_rate_is_that_of_the_last_seconds():
    rate = Rate()
    for second in range(30):
        rate.add(float(second), second * (100 if second < 15 else 200))
    assert rate.per_second() == pytest.approx(200)
    assert rate.seconds_left(29 * 200 + 1000) == pytest.approx(5)
    rate.add(31.0, 0)
    assert rate.per_second() == 0
    assert rate.seconds_left(10) is None
