"""One bar, with a clock that the test moves."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mlx_glm45v.conversion.pipeline import ConversionSummary
from mlx_glm45v.conversion.terminal import Terminal, duration
from mlx_glm45v.progress import Progress

GB = 10**9


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines_of(err: io.StringIO) -> list[str]:
    return [line for line in err.getvalue().split("\r\x1b[K") if line]


def test_the_bar_has_bytes_rate_time_left_and_the_layer(clock: Clock):
    err = Tty()
    terminal = Terminal(io.StringIO(), err, clock=clock, columns=100)
    terminal.progress(Progress("convert", 0, 200 * GB, "layer 0"))
    clock.now += 10
    terminal.progress(Progress("convert", 50 * GB, 200 * GB, "layer 17"))
    first, second = lines_of(err)
    assert first.startswith("converting [--------")
    assert "MB/s" not in first
    assert second == (
        "converting [#######-----------------------]  25%  50.0 of 200.0 GB  "
        "5,000 MB/s  30 s left  layer 17"
    )


def test_a_narrow_terminal_never_wraps(clock: Clock):
    for columns in (10, 40, 60, 80):
        err = Tty()
        terminal = Terminal(io.StringIO(), err, clock=clock, columns=columns)
        terminal.progress(Progress("convert", GB, 2 * GB, "language_model.lm_head"))
        assert max(map(len, lines_of(err))) < columns


def test_it_is_drawn_ten_times_a_second_at_most_and_whole_once(clock: Clock):
    err = Tty()
    terminal = Terminal(io.StringIO(), err, clock=clock, columns=80)
    for done in range(1000):
        clock.now += 0.001
        terminal.progress(Progress("convert", done, 1000, "layer 1"))
    drawn = len(lines_of(err))
    assert 9 <= drawn <= 11
    for item in ("layer 1", "config.json", "model.safetensors"):
        terminal.progress(Progress("convert", 1000, 1000, item))
    assert len(lines_of(err)) == drawn + 1
    assert "100%" in lines_of(err)[-1]


def test_rates_are_of_the_last_half_minute(clock: Clock):
    """Resuming jumps ahead at once, which is no rate."""
    err = Tty()
    terminal = Terminal(io.StringIO(), err, clock=clock, columns=100)
    terminal.progress(Progress("convert", 0, 400 * GB, "check"))
    for second in range(60):
        clock.now += 1
        done = 100 * GB + second * GB
        terminal.progress(Progress("convert", done, 400 * GB, "layer 9"))
    assert "1,000 MB/s" in lines_of(err)[-1]


def test_stages_that_take_turns_keep_their_rates(clock: Clock):
    err = Tty()
    terminal = Terminal(io.StringIO(), err, clock=clock, columns=100)
    for second in range(10):
        clock.now += 1
        terminal.progress(Progress("download", second * GB, 90 * GB, "a"))
        clock.now += 1
        terminal.progress(Progress("convert", second * GB, 95 * GB, "b"))
    fetching, converting = lines_of(err)[-2:]
    assert fetching.startswith("fetching")
    assert "500 MB/s" in fetching
    assert "500 MB/s" in converting


def test_a_file_gets_a_line_now_and_then(clock: Clock):
    err = io.StringIO()
    terminal = Terminal(io.StringIO(), err, clock=clock)
    for second in range(100):
        clock.now = 100.0 + second
        terminal.progress(Progress("convert", second * GB, 100 * GB, "layer 4"))
    assert "\r" not in err.getvalue()
    assert err.getvalue().splitlines()[0] == (
        "converting  30%  30.0 of 100.0 GB  1,000 MB/s  1 min 10 s left  layer 4"
    )
    assert len(err.getvalue().splitlines()) == 3


def test_the_bar_is_wiped_before_anything_else_is_said(clock: Clock):
    out, err = io.StringIO(), Tty()
    terminal = Terminal(out, err, clock=clock, columns=80)
    terminal.progress(Progress("convert", 1, 2, "layer 0"))
    terminal.note("error: no")
    assert err.getvalue().endswith("\r\x1b[Kerror: no\n")
    terminal.lines(["done"])
    assert out.getvalue() == "done\n"


def test_the_summary_says_what_was_written_and_from_what():
    out = io.StringIO()
    summary = ConversionSummary(
        folder=Path("GLM-4.5V-4bit"),
        recipe="4bit",
        dtype="bfloat16",
        files=tuple("abc"),
        nbytes=61_900_000_000,
        parameters=107_710_933_120,
        bits_per_weight=4.598,
        bytes_read=200 * GB,
        bytes_kept=15 * GB,
        dropped=("model.layers.46.x", "model.layers.46.y"),
    )
    Terminal(out, io.StringIO()).summary(summary, 1000.0)
    said = out.getvalue()
    for told in (
        "GLM-4.5V-4bit: 61.9 GB in 3 weight files, 4.60 bits per weight (recipe 4bit",
        "read 200.0 GB in 16 min 40 s (0.2 GB/s)",
        "an earlier run had dealt with 15.0 GB",
        "left out 2 tensors",
        "model.layers.46.x",
        "python -m mlx_glm45v.generate --model GLM-4.5V-4bit",
    ):
        assert told in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (0.3, "0.3 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_words(seconds: float, said: str):
    assert duration(seconds) == said
