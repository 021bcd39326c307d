from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.demo.scenes import (
    COLOURS,
    OUTLINES,
    SHAPES,
    Figure,
    Scene,
    add_noise,
    draw,
    random_scene,
)

SIZES = st.sampled_from(((112, 112), (168, 112), (84, 140), (448, 336)))


@given(seed=st.integers(0, 10_000), size=SIZES)
def test_a_seed_draws_the_same_scene_again(seed, size):
    first, second = (
        random_scene(Random(seed), width=size[0], height=size[1]) for _ in range(2)
    )
    assert first == second
    assert draw(first).tobytes() == draw(second).tobytes()


def test_other_seeds_draw_other_scenes():
    scenes = {random_scene(Random(seed)) for seed in range(50)}
    assert len(scenes) == 50


@given(seed=st.integers(0, 10_000), size=SIZES)
def test_figures_stand_apart_from_left_to_right_inside_the_picture(seed, size):
    width, height = size
    figures = random_scene(Random(seed), width=width, height=height).figures
    assert 1 <= len(figures) <= 4
    assert len({figure.name for figure in figures}) == len(figures)
    for left, right in pairwise(figures):
        assert right.x - left.x >= width / 9
    for figure in figures:
        assert figure.radius < figure.x < width - figure.radius
        assert figure.radius < figure.y < height - figure.radius


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_figure_is_filled_and_the_paper_around_it_is_not(shape, scale):
    figure = Figure(shape, "red", COLOURS["red"], 40, 60, 20)
    pixels = np.asarray(draw(Scene(112, 112, (255, 255, 255), (figure,)), scale=scale))
    assert tuple(pixels[int(60 * scale), int(40 * scale)]) == COLOURS["red"]
    rows, columns = np.nonzero((pixels != 255).any(-1))
    assert abs(columns.mean() / scale - 40) < 1.5
    assert columns.max() - columns.min() < 2 * 1.2 * 20 * scale
    assert rows.max() - rows.min() > 1.4 * 20 * scale


def test_shapes_cover_different_areas():
    areas = set()
    for shape in SHAPES:
        figure = Figure(shape, "black", (0, 0, 0), 56, 56, 30)
        pixels = np.asarray(draw(Scene(112, 112, (255, 255, 255), (figure,))))
        areas.add(int((pixels == 0).all(-1).sum()))
    assert len(areas) == len(SHAPES) == len(OUTLINES) + 1  # a circle has no corners


def test_noise_repeats_itself_and_keeps_the_mean():
    grey = np.full((64, 64, 3), 128, np.uint8)
    noisy = add_noise(grey, deviation=4.0, seed=7)
    assert (noisy == add_noise(grey, deviation=4.0, seed=7)).all()
    assert abs(noisy.mean() - 128) < 0.5
    assert 3.5 < noisy.std() < 4.5
