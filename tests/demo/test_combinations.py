from random import Random

import pytest

from mlx_glm45v.demo.combinations import (
    is_figure_held_out,
    is_held_out,
    place_of,
)
from mlx_glm45v.demo.drawing import (
    KINDS,
    combined_clip,
    combined_scene,
    random_appearance,
)
from mlx_glm45v.demo.scenes import COLOURS, SHAPES


def test_an_eighth_of_all_combinations_is_held_out():
    places = [place_of(x / 6, y / 6) for x in (1, 3, 5) for y in (1, 3, 5)]
    assert len(set(places)) == 9
    combinations = [
        (shape, colour, place, size)
        for shape in SHAPES
        for colour in COLOURS
        for place in places
        for size in ("small", "large")
    ]
    held_out = [one for one in combinations if is_held_out(*one)]
    assert 0.08 < len(held_out) / len(combinations) < 0.17
    # Each shape and each colour is seen in training.
    assert {one[:2] for one in set(combinations) - set(held_out)} == set(KINDS)


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (0.1, 0.1, "top left"),
        (0.5, 0.5, "middle centre"),
        (1.0, 1.0, "bottom right"),
        (0.9, 0.4, "middle right"),
    ],
)
def test_places_are_ninths_of_the_picture(x, y, place):
    assert place_of(x, y) == place


@pytest.mark.parametrize("held_out", [True, False])
def test_all_figures_of_a_scene_are_held_out_or_none_is(held_out):
    for seed in range(40):
        scene = combined_scene(Random(seed), held_out=held_out, width=140, height=84)
        assert len({figure.name for figure in scene.figures}) == len(scene.figures)
        for figure in scene.figures:
            assert is_figure_held_out(scene, figure) == held_out


@pytest.mark.parametrize("held_out", [True, False])
def test_a_clips_figure_starts_where_it_is_held_out_or_not(held_out):
    for seed in range(20):
        clip = combined_clip(Random(seed), held_out=held_out)
        assert is_figure_held_out(clip.scene, clip.figure) == held_out


def test_the_last_figure_of_an_appearance_comes_at_its_second():
    for seed in range(20):
        clip = random_appearance(Random(seed), held_out=False, seconds=4.0)
        assert clip.since in (1, 2, 3)
        before, after = clip.scene_at(clip.since - 0.5), clip.scene_at(clip.since)
        assert before.figures == clip.scene.figures[:-1]
        assert after.figures == clip.scene.figures
