import base64
import os
from pathlib import Path
from urllib.parse import quote_from_bytes

import numpy as np
import pytest
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.sources import fetched, open_source, source_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (Path("/holiday/beach.png"), "beach.png"),
        ("/holiday/beach.png", "beach.png"),
        ("https://me:secret@a.org/beach.png?key=1#top", "https://a.org/beach.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,... of 26 characters"),
        (b"12345", "data of 5 bytes"),
        (Image.new("L", (4, 3)), "picture of 4x3"),
        (np.zeros((3, 4)), "array of shape (3, 4)"),
        ([1, 2], "2 frames"),
        (7, "value of type int"),
    ],
)
def test_messages_call_a_source_by_its_name(source: object, name: str) -> None:
    assert source_name(source) == name


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_opened(tmp_path: Path, kind: type) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    with open_source(kind(tmp_path / "a.bin")) as file:
        assert file.read() == b"abc"


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"abc")
    with open_source("~/a.bin") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_read_as_they_are(kind: type) -> None:
    with open_source(kind(b"abc")) as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    "url",
    [
        "data:;base64," + base64.b64encode(b"\x00\xffab").decode(),
        "data:image/png;base64,AP9h\n Yg==",
        "data:image/png;base64,AP9hYg%3D%3D",
        "data:image/png," + quote_from_bytes(b"\x00\xffab"),
    ],
)
def test_a_data_address_holds_its_bytes(url: str) -> None:
    assert fetched(url) == b"\x00\xffab"


def test_other_sources_are_not_fetched() -> None:
    assert fetched("a.png") == "a.png"


def test_an_opened_picture_is_called_by_its_file(tmp_path: Path) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert source_name(opened) == "a.png"


def test_what_could_block_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(MediaError, match=r"pipe\.png is not a regular file"):
        open_source(tmp_path / "pipe.png")


def test_a_value_of_no_known_kind_is_refused() -> None:
    with pytest.raises(MediaError, match="value of type int is nothing"):
        open_source(7)
