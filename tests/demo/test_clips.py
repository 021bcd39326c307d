from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.demo.clips import Clip, random_clip
from mlx_glm45v.demo.scenes import Figure, Scene


def centre(clip: Clip, time: float) -> tuple[float, float]:
    pixels = np.asarray(clip.frame(time)).astype(int)
    rows, columns = np.nonzero(abs(pixels - clip.scene.paper).sum(-1))
    return columns.mean(), rows.mean()


@pytest.mark.parametrize(
    ("direction", "moved"),
    [
        ("right", (40, 0)),
        ("left", (-40, 0)),
        ("up", (0, -40)),
        ("down", (0, 40)),
        ("still", (0, 0)),
    ],
)
def test_a_shape_moves_as_its_direction_says(direction, moved):
    figure = Figure("circle", "red", (220, 40, 45), 56, 56, 12)
    scene = Scene(112, 112, (255, 255, 255), (figure,))
    clip = Clip(scene, direction, distance=40, seconds=2)
    start, middle, end = (centre(clip, time) for time in (0, 1, 2))
    assert np.subtract(end, start) == pytest.approx(moved, abs=1)
    assert np.subtract(middle, start) == pytest.approx(np.divide(moved, 2), abs=1)


def test_a_shape_stands_still_before_the_start_and_after_the_end():
    clip = random_clip(Random(1))
    assert clip.frame(-1).tobytes() == clip.frame(0).tobytes()
    end = clip.frame(clip.seconds)
    assert clip.frame(clip.seconds + 1).tobytes() == end.tobytes()


@given(st.integers(0, 5_000))
def test_a_random_clip_stays_in_the_picture_and_repeats_itself(seed):
    clip = random_clip(Random(seed), width=140, height=84)
    assert clip == random_clip(Random(seed), width=140, height=84)
    for time in (0, clip.seconds):
        x, y = centre(clip, time)
        assert clip.figure.radius < x < 140 - clip.figure.radius
        assert clip.figure.radius < y < 84 - clip.figure.radius
