"""Numbers, sizes and times as people read them, in the system's way of writing them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale

from app.conversation import Stats
from app.ui.transcript.actions import stats_words
from app.ui.words import (
    breakable,
    grouped,
    memory_words,
    shortest,
    size_words,
    time_words,
)

GB = 1024**3


@pytest.fixture
def german() -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    yield
    QLocale.setDefault(before)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (720, "12 min"), (12_000, "3 h 20 min")],
)
def test_times_are_short(seconds, words):
    assert time_words(seconds) == words


def test_sizes_are_decimal():
    assert [size_words(each) for each in (61.9e9, 5_642_080, 9_600)] == [
        "61.9 GB",
        "5.6 MB",
        "9.6 kB",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [(11_284_072, "11 MB"), (GB * 11 // 10, "1.1 GB"), (96 * GB, "96 GB")],
)
def test_memory_is_said_as_people_say_it(count: int, text: str) -> None:
    assert memory_words(count) == text


def test_thousands_stand_apart():
    assert (grouped(12_345), shortest(4.0), shortest(4.5)) == ("12,345", "4", "4.5")


@pytest.mark.usefixtures("german")
def test_all_numbers_are_written_in_one_way():
    stats = Stats(3000, 2691, 0, 2400, 500, 0, 43.2, 1.23, 9_100_000_000)
    words = "43 tok/s · 1,2 s · 2.691 image tokens · 2.400 cached · 9,1 GB"
    assert stats_words(stats) == words
    assert memory_words(11 * GB // 10) == "1,1 GB"
    assert shortest(4.5) == "4,5"


def test_paths_may_break():
    assert breakable("/a/b-c") == "/\u200ba/\u200bb-\u200bc"
