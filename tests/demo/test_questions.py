from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.demo import questions
from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.scenes import COLOURS, SHAPES, Figure, Scene, random_scene


def scene_of(*names: str) -> Scene:
    figures = [
        Figure(shape, colour, COLOURS[colour], 20.0 * index, 50.0, 12.0)
        for index, (colour, shape) in enumerate(name.split() for name in names)
    ]
    return Scene(112, 112, (255, 255, 255), tuple(figures))


def answers(ask, scene, *, tries: int = 200) -> set[str]:
    return {ask(Random(seed), scene).answer for seed in range(tries)}


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (["red circle"], "The picture shows a red circle."),
        (["orange star"], "The picture shows an orange star."),
        (
            ["blue star", "red circle"],
            "The picture shows a blue star and a red circle.",
        ),
        (
            ["blue star", "red circle", "black square"],
            "The picture shows a blue star, a red circle and a black square.",
        ),
    ],
)
def test_a_description_names_all_figures_from_left_to_right(names, answer):
    assert answers(questions.describe, scene_of(*names)) == {answer}


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (["red circle"], "There is one shape."),
        (["red circle", "red star", "blue star"], "There are three shapes."),
    ],
)
def test_a_count_counts_all_figures(names, answer):
    assert answers(questions.count, scene_of(*names)) == {answer}


def test_a_count_of_a_shape_is_right_for_those_that_are_missing_too():
    scene = scene_of("red star", "blue star", "red circle")
    assert answers(questions.count_some, scene) == {
        "There are two stars.",
        "There is one circle.",
        "There are no squares.",
        "There are no triangles.",
    }


def test_a_colour_is_asked_of_shapes_that_stand_there_once():
    scene = scene_of("red star", "blue star", "red circle")
    assert answers(questions.colour, scene) == {
        "The circle is red.",
        "There is no square.",
        "There is no triangle.",
    }


def test_a_shape_is_asked_by_colours_that_stand_there_once():
    scene = scene_of("red star", "blue star", "red circle")
    told = answers(questions.shape, scene)
    assert "The blue shape is a star." in told
    assert not any("red" in answer for answer in told)
    assert "There is no green shape." in told


@given(st.integers(0, 5_000))
def test_every_question_of_a_scene_can_be_asked_of_every_scene(seed):
    random = Random(seed)
    scene = random_scene(random)
    for ask in questions.SCENE_QUESTIONS:
        exchange = ask(random, scene)
        assert exchange.question
        assert exchange.thought.endswith(".")
        assert exchange.answer.endswith(".")


@pytest.mark.parametrize(
    ("direction", "answer"),
    [
        ("right", "A red circle moves to the right."),
        ("left", "A red circle moves to the left."),
        ("up", "A red circle moves up."),
        ("down", "A red circle moves down."),
        ("still", "A red circle does not move."),
    ],
)
def test_a_clip_is_described_by_its_movement(direction, answer):
    clip = Clip(scene_of("red circle"), direction, distance=40, seconds=2)
    assert questions.describe_clip(Random(0), clip).answer == answer


def test_wordings_vary_in_case_and_closing_mark():
    scene = scene_of("red circle")
    asked = {questions.count(Random(seed), scene).question for seed in range(300)}
    assert {
        "How many shapes are there?",
        "how many shapes are there?",
        "How many shapes are there",
    } <= asked


def test_without_a_picture_it_greets_or_asks_for_one():
    told = {questions.greeting(Random(seed)).answer for seed in range(100)}
    assert told == {questions.GREETING, questions.NO_PICTURE}


def test_no_shape_and_no_colour_share_a_name():
    assert not set(SHAPES) & set(COLOURS)
