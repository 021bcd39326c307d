"""The stored values come from the reference (tools/make_pixel_values.py)."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.media.videos import VideoInfo
from mlx_glm45v.processing.frame_sampling import EvenRate, SteppedRate, seconds_at

VALUES = json.loads((Path(__file__).parents[1] / "parity/pixels.json").read_text())
RULES = {"glm4v": EvenRate(), "glm46v": SteppedRate()}


def constant(frames: int, rate: float) -> VideoInfo:
    return video(np.arange(frames) / rate, rate=rate, duration=frames / rate)


def video(
    times: np.ndarray, *, rate: float | None = None, duration: float
) -> VideoInfo:
    ticks = np.rint(times * 1000).astype(np.int64)
    return VideoInfo("v.mp4", 64, 48, times, rate, duration, ticks, (0,))


@pytest.mark.parametrize("model", RULES)
def test_a_constant_rate_gives_the_references_frames(model: str) -> None:
    for frames, above, below, fps, indices in VALUES["sampling"][model]:
        found = RULES[model].indices(constant(frames, above / below), fps=fps)
        assert found == indices, (frames, above, below, fps)


@pytest.mark.parametrize("model", RULES)
@pytest.mark.parametrize(("frames", "rate"), [(40, 4.0), (30, 3.0), (700, 16.0)])
def test_real_time_stamps_at_a_constant_rate_give_the_same_frames(
    model: str, frames: int, rate: float
) -> None:
    known = constant(frames, rate)
    measured = video(known.times, duration=known.duration)
    assert RULES[model].indices(measured) == RULES[model].indices(known)


def test_a_variable_rate_is_sampled_by_its_time_stamps() -> None:
    crowded_then_slow = np.concatenate([np.arange(100) / 100, 1 + np.arange(8) / 2])
    info = video(crowded_then_slow, duration=5.0)
    chosen = EvenRate().indices(info)
    assert [seconds_at(info, index) for index in chosen] == [n / 2 for n in range(10)]


def test_the_stepped_rule_sees_what_is_shown_at_each_beat_of_a_slide_show() -> None:
    info = video(np.array([0.0, 0.1, 3.0]), duration=6.0)
    assert SteppedRate().indices(info) == [0, 1, 2, 2]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_fps_replaces_the_rule_s_rate(rule: EvenRate | SteppedRate) -> None:
    assert rule.indices(constant(100, 10.0), fps=1.0) == list(range(0, 100, 10))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("rate", [25.0, None])
def test_an_absurd_rate_takes_every_frame_at_once(
    rule: EvenRate | SteppedRate, rate: float | None
) -> None:
    info = video(np.arange(100) / 25, rate=rate, duration=4.0)
    assert rule.indices(info, fps=1e12) == list(range(100))


def test_the_last_frame_stands_twice_where_the_count_is_odd() -> None:
    assert EvenRate().indices(constant(15, 10.0)) == [0, 5, 10, 10]
    assert SteppedRate().indices(constant(1, 25.0)) == [0, 0]


@pytest.mark.parametrize(
    ("rule", "text"), [(EvenRate(), "12"), (SteppedRate(), "12.9 seconds")]
)
def test_times_are_written_as_the_checkpoint_learnt_them(
    rule: EvenRate | SteppedRate, text: str
) -> None:
    assert rule.time_text(12.94) == text


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(
    gaps=st.lists(st.floats(0.001, 9.0), min_size=1, max_size=60),
    fps=st.none() | st.floats(0.05, 60.0),
)
def test_any_video_gives_pairs_of_its_frames_in_order(
    rule: EvenRate | SteppedRate, gaps: list[float], fps: float | None
) -> None:
    times = np.cumsum([0.0, *gaps[:-1]])
    info = video(times, duration=float(times[-1]) + gaps[-1])
    indices = rule.indices(info, fps=fps)
    assert len(indices) % 2 == 0
    assert indices[0] >= 0
    assert indices[-1] < len(info)
    rising = indices[:-1] if indices[-1] == indices[-2] else indices
    assert all(before < after for before, after in pairwise(rising))
