"""Which pictures are asked for, in which order: a worker that only writes it down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal

from app.control.picture_feed import FIRST_LOOK, PictureFeed, _side
from app.workers.values import MediaFailure, MediaSource, Strip, StripFrame

PAPER = MediaSource("p", Path("paper.pdf"), "document", pages=(2,), max_pixels=900)
CLIP = MediaSource("c", Path("clip.mp4"), "video", fps=2.0)
PHOTO = MediaSource("i", Path("photo.jpg"), "image")

pytestmark = pytest.mark.usefixtures("qapp")


class Worker(QObject):
    """Has the feed's part of a `MediaWorker`'s interface, and answers when told."""

    strip_ready = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[MediaSource, int, tuple[int, ...] | None]] = []

    def strip(self, source, *, side, places=None):
        self.asked.append((source, side, places))
        return len(self.asked)

    def thumbnail(self, source, *, side):
        return self.strip(source, side=side)

    def draw(self) -> None:
        source, side, places = self.asked[-1]
        count = len(source.pages or places or (0,))
        frames = [StripFrame(Path(f"{n}.png"), side, side) for n in range(count)]
        self.strip_ready.emit(Strip(len(self.asked), source.key, tuple(frames)))

    def fail(self) -> None:
        self.failed.emit(MediaFailure(len(self.asked), None, "torn"))


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def feed(worker):
    feed = PictureFeed(worker)
    feed.drawn, feed.grown, feed.torn = [], [], []
    feed.small.connect(lambda place, _: feed.drawn.append(place))
    feed.large.connect(lambda place, _: feed.grown.append(place))
    feed.failed.connect(lambda place, why: feed.torn.append((place, why)))
    return feed


def test_pages_are_drawn_in_parts_one_after_the_other(feed, worker):
    feed.set_source(PAPER, tuple(range(1, 21)))
    feed.want(tuple(range(3, 18)))
    assert [each[0].pages for each in worker.asked] == [tuple(range(1, 9))]
    worker.draw()
    worker.draw()
    worker.draw()
    parts = [each[0].pages for each in worker.asked]
    assert parts == [tuple(range(1, 9)), tuple(range(9, 17)), (17, 18, 19, 20)]
    assert feed.drawn == list(range(20))


def test_a_picture_of_a_page_hangs_on_no_budget(feed, worker):
    feed.set_source(PAPER, (1, 2))
    feed.want((0, 1))
    feed.set_source(replace(PAPER, max_pixels=5, pages=(1,)), (1, 2))
    worker.draw()
    assert feed.drawn == [0, 1]
    assert worker.asked[0][0].max_pixels is None


def test_what_is_wanted_now_comes_next(feed, worker):
    feed.set_source(CLIP)
    feed.want(tuple(range(40)))
    feed.want((80, 81))
    worker.draw()
    assert [each[2] for each in worker.asked] == [
        tuple(range(8)),
        tuple(range(80, 88)),
    ]


def test_a_large_one_goes_before_small_ones_and_only_the_last_counts(feed, worker):
    feed.set_source(CLIP)
    feed.want((0, 9))
    feed.enlarge(3, (1920, 1080))
    feed.enlarge(4, (1920, 1080))
    worker.draw()
    assert worker.asked[-1] == (CLIP, 1920, (4,))
    worker.draw()
    assert feed.grown == [4]
    assert worker.asked[-1][2] == tuple(range(8, 16))


def test_a_picture_is_looked_at_first_and_whole_then(feed, worker):
    feed.set_source(PHOTO)
    feed.look()
    feed.enlarge(0, (4000, 3000))
    assert [each[1] for each in worker.asked] == [FIRST_LOOK]
    worker.draw()
    worker.draw()
    assert [each[1] for each in worker.asked] == [FIRST_LOOK, 4000]
    assert feed.grown == [0, 0]


def test_of_pages_that_fail_together_the_good_ones_are_drawn(feed, worker):
    feed.set_source(PAPER, (1, 2, 3))
    feed.want((0, 1, 2))
    worker.fail()
    worker.draw()
    worker.fail()
    worker.draw()
    assert feed.drawn == [0, 2]
    assert feed.torn == [(1, "torn")]


def test_answers_about_another_medium_are_dropped(feed, worker):
    feed.set_source(CLIP)
    feed.want((0,))
    feed.set_source(None)
    worker.draw()
    feed.want((1,))
    feed.enlarge(0)
    assert feed.drawn == []
    assert len(worker.asked) == 1


@pytest.mark.parametrize(
    ("size", "side"),
    [
        (None, 4000),
        ((800, 600), 800),
        ((40_000, 300), 16_384),
        ((12_000, 9_000), 4619),
        ((1, 1), 1),
    ],
)
def test_a_huge_picture_is_drawn_with_16_million_pixels(size, side):
    assert _side(size) == side
