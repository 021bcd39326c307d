"""What is in a target's way is named before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mlx_glm45v.conversion.journal import JOURNAL_NAME
from mlx_glm45v.conversion.target import (
    begin,
    check_target,
    discard_conversion,
    replaced_bytes,
)
from mlx_glm45v.errors import ConversionError

BEGUN_AS: dict[str, Any] = {"recipe": "4bit", "source": {"a": [1, 2], "b": [3, 4]}}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_a_new_folder_is_fine(tmp_path: Path, source: Path):
    check_target(tmp_path / "a" / "b", source=source, overwrite=False)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("source", "is the source itself"),
        ("link", "is the source itself"),
        ("source/../source", "is the source itself"),
        ("source/inside", "lie one in the other"),
        ("link/inside", "lie one in the other"),
        ("", "lie one in the other"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_source_is_never_written_to(
    tmp_path: Path, source: Path, name: str, message: str, overwrite: bool
):
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(ConversionError, match=message):
        check_target(tmp_path / name, source=source, overwrite=overwrite)


def test_a_file_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    for name in ("file", "file/inside"):
        with pytest.raises(ConversionError, match="file is a file; choose a folder"):
            check_target(tmp_path / name, source=None, overwrite=True)


def test_a_folder_that_holds_something_is_refused_unless_overwritten(tmp_path: Path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConversionError, match=r"not empty \(notes\.txt\).*--overwrite"):
        check_target(tmp_path, source=None, overwrite=False)
    check_target(tmp_path, source=None, overwrite=True)


def test_an_empty_folder_and_what_a_killed_run_left_are_fine(tmp_path: Path):
    for name in (".DS_Store", f".{JOURNAL_NAME}.part"):
        (tmp_path / name).touch()
    check_target(tmp_path, source=None, overwrite=False)
    (tmp_path / "notes.txt").touch()
    (tmp_path / JOURNAL_NAME).touch()
    check_target(tmp_path, source=None, overwrite=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConversionError, match="cannot be written to"):
        check_target(tmp_path / "new", source=None, overwrite=False)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_file_system_that_refuses_says_so():
    with pytest.raises(ConversionError, match=r"cannot be written"):
        begin(Path("/proc/self/new"), BEGUN_AS, overwrite=False)


# Going on.


def test_the_same_conversion_goes_on(tmp_path: Path):
    first = begin(tmp_path, BEGUN_AS, overwrite=False)
    first.note(0, (1,))
    first.close()
    again = begin(tmp_path, BEGUN_AS, overwrite=False)
    assert 0 in again
    again.close()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"recipe": "6bit"}, "recipe was '4bit', is '6bit'"),
        ({"source": {"a": [1, 2], "b": [3, 5]}}, "source differs in b"),
        ({"source": {"a": [1, 2]}}, "source differs in b"),
    ],
)
def test_another_conversion_does_not_go_on(
    tmp_path: Path, changed: dict[str, Any], message: str
):
    begin(tmp_path, BEGUN_AS, overwrite=False).close()
    with pytest.raises(ConversionError, match=message) as caught:
        begin(tmp_path, {**BEGUN_AS, **changed}, overwrite=False)
    assert "--overwrite" in str(caught.value)
    assert (tmp_path / JOURNAL_NAME).exists()


def test_overwriting_starts_another_conversion_anew(tmp_path: Path):
    first = begin(tmp_path, BEGUN_AS, overwrite=False)
    first.note(0, (1,))
    first.close()
    (tmp_path / ".model.safetensors.part").touch()
    again = begin(tmp_path, {**BEGUN_AS, "recipe": "6bit"}, overwrite=True)
    assert 0 not in again
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL_NAME]
    again.close()


def test_overwriting_the_same_conversion_goes_on(tmp_path: Path):
    first = begin(tmp_path, BEGUN_AS, overwrite=True)
    first.note(0, (1,))
    first.close()
    again = begin(tmp_path, BEGUN_AS, overwrite=True)
    assert 0 in again
    again.close()


def test_overwriting_removes_an_earlier_model_and_nothing_else(tmp_path: Path):
    for name in ("model-00001-of-00002.safetensors", "config.json", "README.md"):
        (tmp_path / name).write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    assert replaced_bytes(tmp_path) == 3
    begin(tmp_path, BEGUN_AS, overwrite=True).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [JOURNAL_NAME, "notes.txt"]
    assert replaced_bytes(tmp_path) == 0


def test_what_is_written_after_overwriting_is_not_removed_again(tmp_path: Path):
    """The new files have the old ones' names from the moment they are finished."""
    (tmp_path / "model.safetensors").write_text("old")
    begin(tmp_path, BEGUN_AS, overwrite=True).close()
    (tmp_path / "model.safetensors").write_text("new")
    begin(tmp_path, BEGUN_AS, overwrite=True).close()
    assert (tmp_path / "model.safetensors").read_text() == "new"


def test_files_of_other_programs_are_left_where_they_are(tmp_path: Path):
    film = tmp_path / ".film.part"
    film.write_text("half of it")
    with pytest.raises(ConversionError, match=r"not empty \(\.film\.part\)"):
        check_target(tmp_path, source=None, overwrite=False)
    begin(tmp_path, BEGUN_AS, overwrite=True).close()
    assert film.read_text() == "half of it"


def test_an_unfinished_folder_is_discarded_and_no_other(tmp_path: Path):
    unfinished, other = tmp_path / "unfinished", tmp_path / "other"
    for folder in (unfinished, other):
        (folder / ".source").mkdir(parents=True)
        (folder / "model.safetensors.part").touch()
    (unfinished / JOURNAL_NAME).touch()
    assert discard_conversion(unfinished)
    assert not unfinished.exists()
    assert not discard_conversion(other)
    assert (other / "model.safetensors.part").exists()
    assert not discard_conversion(tmp_path / "nowhere")
