"""Measuring comes to what making the prompt comes to, and reads no pixels."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdfium2 import PdfDocument

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.messages import DocumentPart, ImagePart, Message, TextPart, VideoPart
from mlx_glm45v.processing.measure import measure
from mlx_glm45v.processing.processor import Processor
from tests.media.conftest import make_film

quick = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
sides = st.integers(8, 400)


def encoded(width: int, height: int, *, orientation: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (width, height), "teal").save(file, "JPEG", exif=exif)
    return file.getvalue()


def pdf(*sizes: tuple[float, float]) -> bytes:
    document, file = PdfDocument.new(), io.BytesIO()
    for width, height in sizes:
        document.new_page(width, height)
    document.save(file)
    return file.getvalue()


def user(*parts) -> Message:
    return Message("user", [TextPart(p) if isinstance(p, str) else p for p in parts])


def agrees(processor: Processor, messages: list[Message], thinking=None) -> None:
    found = measure(processor, messages, thinking=thinking)
    assert found.total == len(processor.prompt(messages, thinking=thinking))


@quick
@given(
    width=sides,
    height=sides,
    orientation=st.integers(1, 8),
    max_pixels=st.none() | st.integers(784, 200_000),
)
def test_a_picture_takes_what_was_measured(
    demo_processor, width, height, orientation, max_pixels
):
    source = encoded(width, height, orientation=orientation)
    agrees(demo_processor, [user(ImagePart(source, max_pixels), "Hi")])


@settings(quick, max_examples=10)
@given(
    frames=st.integers(1, 30),
    size=st.sampled_from([(64, 48), (48, 64), (120, 32)]),
    rotation=st.sampled_from([0, 90]),
    fps=st.none() | st.floats(0.2, 12),
    max_pixels=st.none() | st.integers(60_000, 400_000),
)
def test_a_video_takes_what_was_measured(
    demo_processor, frames, size, rotation, fps, max_pixels
):
    film = make_film(frames=frames, size=size, rotation=rotation)
    part = VideoPart(film, fps=fps, max_pixels=max_pixels)
    agrees(demo_processor, [user(part, "Hi")])


@settings(quick, max_examples=10)
@given(
    sizes=st.lists(
        st.tuples(st.floats(20, 700), st.floats(20, 700)), min_size=1, max_size=3
    ),
    dpi=st.integers(36, 100),
    max_pixels=st.none() | st.integers(20_000, 400_000),
)
def test_a_document_takes_what_was_measured(demo_processor, sizes, dpi, max_pixels):
    part = DocumentPart(pdf(*sizes), dpi=dpi, max_pixels=max_pixels)
    agrees(demo_processor, [user(part, "Hi")])


@pytest.mark.parametrize("thinking", [None, True, False])
def test_several_turns_take_what_was_measured(demo_processor, thinking):
    pages = DocumentPart(pdf((200, 200), (300, 100), (100, 300)), pages=(3, 1))
    times = VideoPart([Image.new("RGB", (56, 56))] * 3, times=(0.0, 0.5, 1.0))
    messages = [
        Message("system", "Be short."),
        user("A", ImagePart(encoded(60, 90)), "B", VideoPart(make_film())),
        Message("assistant", "Yes.", thinking="So it is."),
        user(pages, times, ImagePart(np.zeros((40, 50), np.uint8)), "C"),
    ]
    agrees(demo_processor, messages, thinking)


def test_each_medium_says_what_it_is(demo_processor):
    film = make_film(frames=30, size=(64, 48), rate=10)
    message = user(
        ImagePart(encoded(112, 84, orientation=6)),
        VideoPart(film),
        DocumentPart(pdf((144, 72), (72, 72)), dpi=72),
        "Hi",
    )
    image, video, document = measure(demo_processor, [message]).media
    assert (image.kind, image.width, image.height) == ("image", 84, 112)
    assert image.tokens == 12
    assert (video.kind, video.width, video.height) == ("video", 64, 48)
    assert video.seconds == (0.0, 1.0, 2.0)
    assert video.duration == pytest.approx(3.0)
    assert (document.kind, document.width, document.height) == ("document", 144, 72)
    assert document.pages == 2


def test_a_picture_is_measured_by_its_header_alone(demo_processor):
    whole = encoded(300, 200)
    part = ImagePart(whole[:700])
    same = user(replace(part, source=whole))
    cut_off = measure(demo_processor, [user(part)])
    assert cut_off.total == measure(demo_processor, [same]).total


def test_what_cannot_be_read_is_named(demo_processor, tmp_path: Path):
    path = tmp_path / "letter.png"
    path.write_bytes(b"Dear Sir")
    with pytest.raises(MediaError, match=r"letter\.png is no picture"):
        measure(demo_processor, [user(ImagePart(path))])


def test_a_stop_ends_the_measuring(demo_processor):
    with pytest.raises(Cancelled):
        measure(
            demo_processor,
            [user(ImagePart(encoded(40, 40)))],
            should_stop=lambda: True,
        )
