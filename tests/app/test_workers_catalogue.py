"""The list of models: the demo, what can be fetched, and folders that people name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.workers.catalogue import Catalogue

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch) -> Iterator[Catalogue]:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    catalogue = Catalogue()
    yield catalogue
    catalogue.close()


def test_the_demo_and_the_known_repositories_come_with_verdicts(catalogue, wait_until):
    catalogue.refresh()
    wait_until(lambda: catalogue.entries, timeout=60)
    demo, *known = catalogue.entries
    assert (demo.name, demo.on_disk, demo.fits) == ("demo", "ready", "yes")
    assert [each.name[-4:] for each in known] == ["3bit", "4bit", "6bit", "8bit"]
    assert {each.on_disk for each in known} == {"absent"}
    assert all(each.sums and each.fits != "unknown" for each in known)
    assert all((each.pace is not None) == (each.fits == "streamed") for each in known)
    sizes = [each.size for each in known]
    assert sizes == sorted(sizes)


def test_a_folder_of_models_is_a_row_for_each(
    catalogue, wait_until, demo_folder: Path, tmp_path: Path
):
    models, told = tmp_path / "models", []
    shutil.copytree(demo_folder, models / "one")
    (models / "two").mkdir()
    (models / "two" / "config.json").write_text('{"model_type": "llama"}')
    catalogue.folders_changed.connect(told.append)
    catalogue.add_folder(models)
    wait_until(lambda: catalogue.entries, timeout=60)
    one = catalogue.entry(str(models / "one"))
    two = catalogue.entry(str(models / "two"))
    assert told == [(str(models),)]
    assert one is not None
    assert (one.on_disk, one.convertible, one.fits) == ("ready", True, "yes")
    assert two is not None
    assert two.on_disk == "broken"
    assert "llama" in (two.problem or "")


def test_a_folder_that_is_gone_says_so_and_can_be_forgotten(
    catalogue, wait_until, tmp_path: Path
):
    gone = tmp_path / "gone"
    catalogue.add_folder(gone)
    wait_until(lambda: catalogue.entries, timeout=60)
    entry = catalogue.entry(str(gone))
    assert entry is not None
    assert entry.on_disk == "broken"
    catalogue.forget_folder(str(gone))
    wait_until(lambda: catalogue.entry(str(gone)) is None, timeout=60)
