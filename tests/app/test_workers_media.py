"""A child process counts and draws what the window asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtGui import QImage

import mlx_glm45v
from app.workers.media import MediaWorker
from app.workers.values import MediaSource, PromptTurn

MEDIA = Path(mlx_glm45v.__file__).parent / "demo" / "media"
PICTURE = MediaSource("a", MEDIA / "example.png", "image")
CLIP = MediaSource("b", MEDIA / "example.mp4", "video")

pytestmark = pytest.mark.usefixtures("qapp")


class Heard:
    """Everything that a worker said."""

    def __init__(self, worker: MediaWorker) -> None:
        self.measured: list = []
        self.strips: list = []
        self.failures: list = []
        worker.measured.connect(self.measured.append)
        worker.strip_ready.connect(self.strips.append)
        worker.failed.connect(self.failures.append)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[MediaWorker]:
    worker = MediaWorker(tmp_path / "strips")
    yield worker
    worker.close()


def test_an_attachment_is_counted_by_the_real_processor(worker, wait_until):
    heard = Heard(worker)
    number = worker.measure_attachment(CLIP)
    wait_until(lambda: heard.measured, timeout=30)
    (answer,) = heard.measured
    assert (answer.request, answer.key) == (number, "b")
    (cost,) = answer.media
    assert cost.kind == "video"
    assert cost.tokens > 0
    assert cost.seconds[0] == 0


def test_a_prompt_is_counted_as_the_model_will_read_it(
    worker, wait_until, demo_processor
):
    heard = Heard(worker)
    turns = (
        PromptTurn("user", "What is this?", sources=(PICTURE,)),
        PromptTurn("assistant", "A shape.", thinking="Round."),
        PromptTurn("user", "And this?", sources=(CLIP,)),
    )
    worker.measure_prompt(turns, thinking=False)
    wait_until(lambda: heard.measured, timeout=30)
    image = mlx_glm45v.ImagePart(PICTURE.path)
    video = mlx_glm45v.VideoPart(CLIP.path)
    words = mlx_glm45v.TextPart
    messages = [
        mlx_glm45v.Message("user", [image, words("What is this?")]),
        mlx_glm45v.Message("assistant", "A shape.", thinking="Round."),
        mlx_glm45v.Message("user", [video, words("And this?")]),
    ]
    wanted = len(demo_processor.prompt(messages, thinking=False))
    assert heard.measured[0].total == wanted
    assert heard.measured[0].key is None
    assert [each.key for each in heard.measured[0].media] == ["a", "b"]


def test_of_prompts_that_wait_only_the_newest_is_counted(worker, wait_until):
    heard = Heard(worker)
    numbers = [
        worker.measure_prompt([PromptTurn("user", "word " * count)])
        for count in (1, 2, 3, 4)
    ]
    wait_until(lambda: len(heard.measured) == 2, timeout=30)
    assert [each.request for each in heard.measured] == [numbers[0], numbers[-1]]


def test_lower_detail_costs_less(worker, wait_until):
    heard = Heard(worker)
    worker.measure_attachment(PICTURE)
    worker.measure_attachment(replace(PICTURE, max_pixels=6000))
    wait_until(lambda: len(heard.measured) == 2, timeout=30)
    normal, low = (each.media[0].tokens for each in heard.measured)
    assert low < normal


def test_a_strip_holds_the_frames_that_were_counted(worker, wait_until):
    heard = Heard(worker)
    worker.measure_attachment(CLIP)
    worker.strip(CLIP, side=64)
    wait_until(lambda: heard.measured and heard.strips, timeout=30)
    frames = heard.strips[0].frames
    assert tuple(each.seconds for each in frames) == heard.measured[0].media[0].seconds
    picture = QImage(str(frames[0].path))
    assert (picture.width(), picture.height()) == (frames[0].width, frames[0].height)
    assert max(picture.width(), picture.height()) == 64


def test_single_frames_are_shown_by_their_places(worker, wait_until):
    heard = Heard(worker)
    worker.strip(CLIP, side=64)
    worker.strip(CLIP, side=64, places=(1, 2))
    wait_until(lambda: len(heard.strips) == 2, timeout=30)
    whole, part = (strip.frames for strip in heard.strips)
    assert [each.seconds for each in part] == [each.seconds for each in whole[1:3]]


def test_what_was_drawn_once_is_shown_again(worker, wait_until):
    heard = Heard(worker)
    for count in (1, 2):
        worker.strip(CLIP, side=64)
        wait_until(lambda count=count: len(heard.strips) == count, timeout=30)
        for frame in heard.strips[0].frames:
            frame.path.write_bytes(b"kept")
    first, second = heard.strips
    assert first.frames == second.frames
    assert second.frames[0].path.read_bytes() == b"kept"
    assert second.frames[0].path.name.startswith("example-")


def test_a_file_that_cannot_be_read_fails_alone(worker, wait_until, tmp_path: Path):
    heard = Heard(worker)
    path = tmp_path / "broken.png"
    path.write_bytes(b"not a picture")
    bad = MediaSource("bad", path, "image")
    worker.measure_attachment(bad)
    worker.thumbnail(PICTURE)
    wait_until(lambda: heard.failures and heard.strips, timeout=30)
    (failure,) = heard.failures
    assert failure.key == "bad"
    assert "broken.png is no picture" in failure.problem
    assert len(heard.strips[0].frames) == 1


def test_odd_names_are_no_trouble(worker, wait_until, tmp_path: Path):
    heard = Heard(worker)
    path = tmp_path / "Fotó \N{BICYCLE} 'a b'.png"
    Image.new("RGB", (60, 40), "red").save(path)
    worker.thumbnail(MediaSource("odd", path, "image"))
    wait_until(lambda: heard.strips, timeout=30)
    assert heard.strips[0].key == "odd"


def test_nothing_is_started_after_the_end(worker, wait_until):
    heard = Heard(worker)
    worker.measure_attachment(PICTURE)
    wait_until(lambda: heard.measured, timeout=30)
    worker.close()
    worker.measure_attachment(PICTURE)
    assert worker._process is None


def test_a_child_that_dies_takes_one_request_with_it(worker, wait_until):
    heard = Heard(worker)
    first = worker.measure_attachment(PICTURE)
    second = worker.measure_attachment(CLIP)
    worker._process.kill()
    wait_until(lambda: heard.failures and heard.measured, timeout=30)
    assert [each.request for each in heard.failures] == [first]
    assert [each.request for each in heard.measured] == [second]
