"""Each fault of each format: its error, its cost, and that work goes on afterwards."""

import os
import re
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlx_glm45v.errors import MediaError
from mlx_glm45v.media.documents import read_pages
from mlx_glm45v.media.fetch import FetchLimits
from mlx_glm45v.media.images import load_image
from mlx_glm45v.media.sources import source_name
from mlx_glm45v.processing.image_processor import ImageProcessor
from mlx_glm45v.processing.video_processor import VideoProcessor
from tests.media import faulty_files as faulty

LIMITS = FetchLimits(max_bytes=100_000, seconds=0.4, redirects=3)
STILLS = ImageProcessor(min_pixels=12544, max_pixels=9633792)
VIDEOS = VideoProcessor.from_dict({"processor_class": "Glm4vProcessor"})
NEXT_STEP = re.compile(
    r"\. (?:Give|Check|Crop|Raise|Use|Open|Save|Download|Convert|Copy|Replace|Scale|"
    r"Encode|Write|Leave|Try) "
)
FRAMES = [np.zeros((56, 56, 3), np.uint8)] * 3


@dataclass(frozen=True)
class Place:
    """Where a row's source is made: a folder, films, a misbehaving server."""

    folder: Path
    film: Callable[..., bytes]
    address: Callable[[str], str]

    def file(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def half(self, name: str, content: bytes) -> Path:
        return self.file(name, content[: len(content) // 2])

    def special(self, name: str, make: Callable[[Path], object]) -> Path:
        make(self.folder / name)
        return self.folder / name


@pytest.fixture
def place(tmp_path: Path, film: Callable[..., bytes], server) -> Place:
    return Place(tmp_path, film, server.address)


def use_picture(source: Any, **options: Any) -> None:
    image = load_image(source, limits=LIMITS)
    STILLS(image, name=source_name(source), **options)


def use_film(source: Any, **options: Any) -> None:
    VIDEOS(source, limits=LIMITS, **options)


def use_document(source: Any, **options: Any) -> None:
    for _ in read_pages(source, limits=LIMITS, **options):
        pass


@dataclass(frozen=True)
class Row:
    """A fault, how its source is made, and what the message calls that source."""

    fault: str
    make: Callable[[Place], Any]
    name: str
    options: dict[str, Any] = field(default_factory=dict)


def truncated_picture(kind: str) -> Row:
    name = f"half.{kind}"
    return Row(f"truncated {kind}", lambda p: p.half(name, faulty.still(kind)), name)


def truncated_film(name: str, kind: str, options: dict[str, str]) -> Row:
    def make(place: Place) -> Path:
        return place.half(name, place.film(kind, frames=60, options=options))

    return Row(f"truncated {name}", make, name)


def bomb(name: str, content: bytes) -> Row:
    return Row(f"bomb in {name}", lambda p: p.file(name, content), name)


def behind_address(path: str) -> Row:
    return Row(f"address {path}", lambda p: p.address(path), path)


def listen(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def lock(path: Path) -> None:
    path.write_bytes(faulty.still("png"))
    path.chmod(0)


NARROW = Image.new("RGB", (9000, 30))
FRONT = {"movflags": "+faststart"}
as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")

PICTURES = [
    *map(truncated_picture, ("png", "jpeg", "webp", "gif", "heic", "avif", "tiff")),
    bomb("bomb.png", faulty.png_of(50_000, 50_000)),
    bomb("bomb.webp", faulty.webp_of(16_384, 16_384)),
    bomb("bomb.gif", faulty.gif_of(60_000, 60_000)),
    bomb("bomb.heic", faulty.heic_of(60_000, 60_000)),
    Row("text called png", lambda p: p.file("a.png", b"hello"), "a.png"),
    Row("empty", lambda p: p.file("a.png", b""), "a.png"),
    Row("a pdf", lambda p: p.file("a.png", faulty.document()), "a.png"),
    Row("a film", lambda p: p.file("a.png", p.film("mp4")), "a.png"),
    Row("no pixels", lambda p: p.file("a.png", faulty.png_of(0, 9)), "a.png"),
    Row("missing", lambda p: p.folder / "none.png", "none.png"),
    Row("a folder", lambda p: p.special("f.png", Path.mkdir), "f.png"),
    Row("a pipe", lambda p: p.special("p.png", os.mkfifo), "p.png"),
    Row("a socket", lambda p: p.special("s.png", listen), "s.png"),
    Row(
        "an endless device",
        lambda p: p.special("z.png", lambda at: at.symlink_to("/dev/zero")),
        "z.png",
    ),
    Row(
        "a link to itself",
        lambda p: p.special("ring.png", lambda at: at.symlink_to(at)),
        "ring.png",
    ),
    pytest.param(
        Row("no permission", lambda p: p.special("l.png", lock), "l.png"), marks=as_root
    ),
    Row("NUL in the path", lambda _: "a\0b.png", "a\\x00b.png"),
    Row("a very long path", lambda _: "n" * 5000 + ".png", "nn.png"),
    Row("another type", lambda _: 3.5, "type float"),
    Row("narrow", lambda p: p.file("n.png", faulty.still("png", NARROW)), "n.png"),
    Row(
        "less than a token",
        lambda p: p.file("a.png", faulty.still("png")),
        "a.png",
        {"max_pixels": 100},
    ),
    Row("array without pixels", lambda _: np.zeros((0, 4, 3)), "(0, 4, 3)"),
    Row("array of integers", lambda _: np.zeros((4, 4), np.int32), "(4, 4)"),
    Row("array of four axes", lambda _: np.zeros((2, 4, 4, 3)), "(2, 4, 4, 3)"),
    Row("array of NaN", lambda _: np.full((4, 4), np.nan), "(4, 4)"),
    Row("picture without pixels", lambda _: Image.new("RGB", (0, 5)), "0x5"),
    *map(
        behind_address,
        (
            "/hangs.png",
            "/drips.png",
            "/short.png",
            "/huge.png",
            "/endless.png",
            "/loop.png",
            "/local.png",
            "/words.png",
            "/missing.png",
        ),
    ),
    Row("nobody listens", lambda _: "http://127.0.0.1:1/a.png", "/a.png"),
    Row("another scheme", lambda _: "ftp://127.0.0.1/a.png", "/a.png"),
    Row("a broken address", lambda _: "http://[::1/a.png", "/a.png"),
    Row("no address at all", lambda _: "http://", "http://"),
    Row("data not base64", lambda _: "data:image/png;base64,a?b", "data:image/png"),
    Row("data without comma", lambda _: "data:image/png;base64", "data:image/png"),
    Row("data of nothing", lambda _: "data:image/png;base64,", "data:image/png"),
]

FILMS = [
    truncated_film("half.mp4", "mp4", {}),
    truncated_film("front.mp4", "mp4", FRONT),
    truncated_film("half.mov", "mov", FRONT),
    truncated_film("half.mkv", "matroska", {}),
    truncated_film("half.webm", "webm", {}),
    truncated_film("half.gif", "gif", {}),
    truncated_film("half.avi", "avi", {}),
    bomb("bomb.gif", faulty.gif_of(60_000, 60_000)),
    Row("sound only", lambda p: p.file("a.mp4", faulty.sound_only()), "a.mp4"),
    Row("text called mp4", lambda p: p.file("a.mp4", b"hello " * 99), "a.mp4"),
    Row("empty", lambda p: p.file("a.mp4", b""), "a.mp4"),
    Row(
        "no frames in mp4",
        lambda p: p.file("a.mp4", faulty.film_without_frames("mp4")),
        "a.mp4",
    ),
    Row(
        "no frames in mkv",
        lambda p: p.file("a.mkv", faulty.film_without_frames("matroska")),
        "a.mkv",
    ),
    Row("a picture", lambda p: p.file("a.mp4", faulty.still("png")), "a.mp4"),
    Row("missing", lambda p: p.folder / "none.mp4", "none.mp4"),
    Row("a folder", lambda p: p.special("f.mp4", Path.mkdir), "f.mp4"),
    Row("narrow", lambda p: p.file("n.gif", faulty.still("gif", NARROW)), "n.gif"),
    Row(
        "negative fps",
        lambda p: p.file("a.mp4", p.film("mp4")),
        "a.mp4",
        {"fps": -1.0},
    ),
    Row(
        "less than a token",
        lambda p: p.file("a.mp4", p.film("mp4")),
        "a.mp4",
        {"max_pixels": 100},
    ),
    Row("fewer times than frames", lambda _: FRAMES, "3 frames", {"times": (0, 1)}),
    Row("times that fall", lambda _: FRAMES, "3 frames", {"times": (0, 2, 1)}),
    Row("no frames given", lambda _: [], "0 frames", {"times": ()}),
    Row("a bad frame", lambda _: [3.5], "type float", {"times": (0,)}),
    behind_address("/hangs.png"),
    behind_address("/words.png"),
]

DOCUMENTS = [
    Row("truncated", lambda p: p.half("a.pdf", faulty.document()), "a.pdf"),
    Row("encrypted", lambda p: p.file("a.pdf", faulty.encrypted_document()), "a.pdf"),
    Row(
        "pageless", lambda p: p.file("a.pdf", faulty.document_without_pages()), "a.pdf"
    ),
    Row("text called pdf", lambda p: p.file("a.pdf", b"hello"), "a.pdf"),
    Row("a picture", lambda p: p.file("a.pdf", faulty.still("png")), "a.pdf"),
    Row("empty", lambda p: p.file("a.pdf", b""), "a.pdf"),
    Row("missing", lambda p: p.folder / "none.pdf", "none.pdf"),
    Row(
        "page out of range",
        lambda p: p.file("a.pdf", faulty.document()),
        "a.pdf",
        {"pages": (2,)},
    ),
    Row("no dpi", lambda p: p.file("a.pdf", faulty.document()), "a.pdf", {"dpi": 0}),
    behind_address("/hangs.png"),
    behind_address("/words.png"),
]


def check(
    row: Row, place: Place, use: Callable[..., None], sound: Callable[[], Path]
) -> None:
    source, well = row.make(place), sound()
    use(well)  # whatever is loaded at the first use is not the fault's cost
    began = time.perf_counter()
    with memory_of_at_most(200 * 2**20), pytest.raises(MediaError) as caught:
        use(source, **row.options)
    assert time.perf_counter() - began < 1.0
    message = str(caught.value)
    assert row.name in message
    assert NEXT_STEP.search(message), message
    assert "\n" not in message
    use(well)


@contextmanager
def memory_of_at_most(limit: int) -> Iterator[None]:
    """The process's peak of resident memory may not grow by more."""
    resident = Path("/proc/self/status")
    exact = resident.exists() and os.access("/proc/self/clear_refs", os.W_OK)
    if exact:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far

    def peak() -> int:
        if exact:
            found = re.search(r"VmHWM:\s+(\d+) kB", resident.read_text())
            assert found
            return int(found[1]) * 1024
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024

    before = peak()
    yield
    assert peak() - before < limit


def faults(row: Any) -> str | None:
    return row.fault if isinstance(row, Row) else None


@pytest.mark.parametrize("row", PICTURES, ids=faults)
def test_a_bad_picture_is_told_about(row: Row, place: Place) -> None:
    check(row, place, use_picture, lambda: place.file("ok", faulty.still("png")))


@pytest.mark.parametrize("row", FILMS, ids=faults)
def test_a_bad_film_is_told_about(row: Row, place: Place) -> None:
    check(row, place, use_film, lambda: place.file("ok", place.film("mp4")))


@pytest.mark.parametrize("row", DOCUMENTS, ids=faults)
def test_a_bad_document_is_told_about(row: Row, place: Place) -> None:
    check(row, place, use_document, lambda: place.file("ok", faulty.document()))
