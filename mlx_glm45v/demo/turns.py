"""Conversations of three turns about one picture; later ones lean on the earlier.

Knows wordings, thoughts and answers. Does not know pixels, tokens or models.
"""

from __future__ import annotations

from random import Random

from mlx_glm45v.demo.boxes import BOX, boxed
from mlx_glm45v.demo.questions import Exchange, all_figures, counted, wording
from mlx_glm45v.demo.scenes import Figure, Scene

AND_THE = ("And the {}?", "What about the {}?", "And what about the {}?")
WHERE_IS_IT = ("Where is it?", "And where is it?", "Where do you see it?")


def colour_then_another(random: Random, scene: Scene) -> tuple[Exchange, ...]:
    """The colour of a shape, of another one, and where that is: three turns."""
    there = [figure.shape for figure in scene.figures]
    once = [figure for figure in scene.figures if there.count(figure.shape) == 1]
    if len(once) < 2:
        return three_of_one(random, scene)
    first, second = random.sample(once, 2)
    seen = f"I see {all_figures(scene)}."
    return (
        Exchange(
            wording(random, ("What colour is the {}?",), first.shape),
            seen,
            f"The {first.shape} is {first.colour}.",
        ),
        Exchange(
            wording(random, AND_THE, second.shape),
            seen,
            f"The {second.shape} is {second.colour}.",
        ),
        _where_is_it(random, scene, second, second.shape),
    )


def three_of_one(random: Random, scene: Scene) -> tuple[Exchange, ...]:
    """Where a figure is, its colour or shape, and how many figures there are."""
    figure = random.choice(scene.figures)
    colours = [other.colour for other in scene.figures]
    shapes = [other.shape for other in scene.figures]
    name = figure.name
    first = boxed(wording(random, BOX, name), scene, figure, name)
    second = Exchange(
        wording(random, ("How many shapes are there?", "Count the shapes.")),
        f"I see {all_figures(scene)}.",
        counted(len(scene.figures), "shape"),
    )
    if shapes.count(figure.shape) == 1:
        third = Exchange(
            wording(random, ("What colour is the {}?",), figure.shape),
            f"I see {all_figures(scene)}.",
            f"The {figure.shape} is {figure.colour}.",
        )
    elif colours.count(figure.colour) == 1:
        third = Exchange(
            wording(random, ("Which shape is {}?",), figure.colour),
            f"I see {all_figures(scene)}.",
            f"The {figure.colour} shape is a {figure.shape}.",
        )
    else:
        third = Exchange(
            wording(random, ("Describe the picture.",)),
            "I name all shapes.",
            f"The picture shows {all_figures(scene)}.",
        )
    return first, second, third


def shape_then_place(random: Random, scene: Scene) -> tuple[Exchange, ...]:
    """Which shape has a colour, where it is, and a description: three turns."""
    colours = [figure.colour for figure in scene.figures]
    once = [figure for figure in scene.figures if colours.count(figure.colour) == 1]
    if not once:
        return three_of_one(random, scene)
    figure = random.choice(once)
    told = f"{figure.colour} shape"
    where = _where_is_it(random, scene, figure, told)
    return (
        Exchange(
            wording(random, ("Which shape is {}?",), figure.colour),
            f"I see {all_figures(scene)}.",
            f"The {told} is a {figure.shape}.",
        ),
        where,
        Exchange(
            wording(random, ("Describe the picture.", "What else do you see?")),
            "I name all shapes.",
            f"The picture shows {all_figures(scene)}.",
        ),
    )


def _where_is_it(random: Random, scene: Scene, figure: Figure, called: str) -> Exchange:
    question = wording(random, WHERE_IS_IT)
    return boxed(question, scene, figure, called)
