import re
from itertools import cycle
from random import Random

import numpy as np
import pytest

from mlx_glm45v.demo import asking, boxes, turns
from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.drawing import Appearance
from mlx_glm45v.demo.pages import random_page
from mlx_glm45v.demo.scenes import (
    COLOURS,
    SHAPES,
    Figure,
    Scene,
    draw,
    random_scene,
)
from mlx_glm45v.demo.words import NEVER_SEEN


def scene_of(*names: str) -> Scene:
    figures = [
        Figure(shape, colour, COLOURS[colour], 20.0 + 30 * index, 50.0, 12.0)
        for index, (colour, shape) in enumerate(name.split() for name in names)
    ]
    return Scene(112, 112, (255, 255, 255), tuple(figures))


def answers(ask, *about, tries: int = 100) -> set[str]:
    return {ask(Random(seed), *about).answer for seed in range(tries)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turn", [0.0, 0.2])
def test_a_box_holds_the_drawn_figure_in_thousandths(shape, turn):
    figure = Figure(shape, "red", COLOURS["red"], 80, 60, 25, turn)
    scene = Scene(200, 120, (255, 255, 255), (figure,))
    rows, columns = np.nonzero((np.asarray(draw(scene, scale=4)) != 255).any(-1))
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    drawn = np.array(edges) / (800, 480, 800, 480) * 1000
    assert np.allclose(boxes.box_of(scene, figure), drawn, atol=8)


def test_a_box_is_written_between_glms_tags():
    told = answers(boxes.box, scene_of("red circle"))
    assert all(
        re.search(r"<\|begin_of_box\|>\[\[\d+,\d+,\d+,\d+\]\]<\|end_of_box\|>$", one)
        for one in told
    )


def test_a_box_is_told_in_twentieths_and_kept_exactly():
    for seed in range(20):
        scene = random_scene(Random(seed))
        told = boxes.box(Random(seed), scene)
        said = np.array(re.findall(r"\d+", told.answer)[-4:], int)
        assert not (said % 50).any()
        assert told.box is not None
        assert np.abs(said - told.box).max() <= 25


def test_a_figure_is_called_by_what_tells_it_from_the_others():
    scene = scene_of("red circle", "red star", "blue star")
    for seed in range(60):
        question = boxes.box(Random(seed), scene).question
        assert "the star" not in question.lower()
        assert "red shape" not in question


def test_the_picture_that_has_a_figure_is_told_by_its_place():
    pictures = (scene_of("red circle"), scene_of("blue circle", "red star"))
    assert answers(asking.which_picture, pictures) <= {
        "The first picture has the red circle.",
        "The second picture has the blue circle.",
        "The second picture has the blue shape.",
        "The second picture has the red star.",
        "The second picture has the star.",
    }


def test_a_picture_without_a_figure_of_its_own_is_not_asked_for():
    pictures = (scene_of("red circle", "blue star"), scene_of("red circle"))
    for seed in range(60):
        told = asking.which_picture(Random(seed), pictures)
        assert told.answer.startswith("The first picture has the")
    with pytest.raises(ValueError, match="every figure"):
        asking.which_picture(Random(0), (pictures[1], pictures[1]))


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        ([], [], "Nothing changed."),
        (["blue star"], [], "The blue star is gone."),
        ([], ["blue star"], "There is a new blue star."),
        (["blue star"], ["red star"], "The star was blue and is now red."),
    ],
)
def test_what_changed_is_told(before, after, answer):
    pictures = (scene_of("red circle", *before), scene_of("red circle", *after))
    assert answers(asking.changed, pictures) == {answer}


def test_when_a_figure_comes_is_told_in_seconds():
    clip = Appearance(scene_of("red circle", "blue star"), since=2, seconds=4.0)
    told = answers(asking.when, clip)
    assert "The blue star appears at 2 seconds." in told
    assert "The circle is there from the start." in told
    assert not any("circle appears" in one for one in told)


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        (["red circle", "blue star"], "Yes, both show a red circle."),
        (["red star"], "No, only the video shows a red circle."),
    ],
)
def test_a_picture_is_compared_with_a_video(shown, answer):
    clip = Clip(scene_of("red circle"), "right", distance=30, seconds=2)
    assert answers(asking.in_both, scene_of(*shown), clip) == {answer}


def test_a_page_is_read_out():
    page = random_page(Random(0), held_out=False)
    assert answers(asking.read, page) == {" ".join(page.words)}


def test_what_was_never_taught_is_not_known():
    asked = [asking.unknown(Random(seed)) for seed in range(200)]
    assert {one.answer for one in asked} == {asking.UNKNOWN_ANSWER}
    unseen = [asking.unknown(Random(seed), NEVER_SEEN) for seed in range(200)]
    assert not {one.question for one in asked} & {one.question for one in unseen}


def test_no_noun_that_training_must_not_see_is_made_up(monkeypatch):
    made_up = cycle(["rome", "bolu"])
    monkeypatch.setattr(asking, "_syllables", lambda _: next(made_up))
    asked = [asking.unknown(Random(seed)).question.lower() for seed in range(100)]
    assert any("bolu" in question for question in asked)
    assert not any("rome" in question for question in asked)


@pytest.mark.parametrize(
    "ask", [turns.colour_then_another, turns.three_of_one, turns.shape_then_place]
)
def test_a_conversation_has_three_turns(ask):
    for seed in range(30):
        told = ask(Random(seed), scene_of("red circle", "blue star", "red star"))
        assert len(told) == 3


def test_a_second_question_may_leave_out_what_it_is_about():
    scene = scene_of("red circle", "blue star")
    for seed in range(30):
        _, second, third = turns.colour_then_another(Random(seed), scene)
        assert "colo" not in second.question
        shape = second.answer.split()[1]
        assert third.answer.startswith(f"The {shape} is here: <|begin_of_box|>")
