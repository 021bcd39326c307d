"""Where a figure is: GLM's grounding boxes, and questions that ask for one.

Knows wordings, thoughts and answers. Does not know pixels, tokens or models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from mlx_glm45v.demo.combinations import place_in
from mlx_glm45v.demo.questions import Exchange, wording
from mlx_glm45v.demo.scenes import OUTLINES, Figure, Scene

TOLD = 50  # thousandths: what the edges in answers are rounded to
BOX = (
    "Where is the {}?",
    "Where do you see the {}?",
    "Show me the {}.",
    "Find the {}.",
    "Give the box of the {}.",
    "Where is the {} in the picture?",
)


def box_of(scene: Scene, figure: Figure) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the figure in thousandths."""
    if figure.shape == "circle":
        reach = [-1 - 1j, 1 + 1j]
    else:
        turn = complex(math.cos(figure.turn), math.sin(figure.turn))
        reach = [turn * corner for corner in OUTLINES[figure.shape]]
    across = [figure.x + figure.radius * c.real for c in reach]
    down = [figure.y + figure.radius * c.imag for c in reach]
    edges = (
        min(across) / scene.width,
        min(down) / scene.height,
        max(across) / scene.width,
        max(down) / scene.height,
    )
    left, top, right, bottom = (round(min(1.0, max(0.0, e)) * 1000) for e in edges)
    return left, top, right, bottom


def box_text(scene: Scene, figure: Figure) -> str:
    """The figure's box between GLM's tags, to the nearest twentieth of the picture."""
    left, top, right, bottom = (
        round(edge / TOLD) * TOLD for edge in box_of(scene, figure)
    )
    return f"<|begin_of_box|>[[{left},{top},{right},{bottom}]]<|end_of_box|>"


def called_by(random: Random, figure: Figure, figures: Sequence[Figure]) -> str:
    """The figure's shape or colour where that is enough, or both."""
    calls = [figure.name]
    if [other.shape for other in figures].count(figure.shape) == 1:
        calls.append(figure.shape)
    if [other.colour for other in figures].count(figure.colour) == 1:
        calls.append(f"{figure.colour} shape")
    return random.choice(calls)


def box(random: Random, scene: Scene) -> Exchange:
    """Where one of the figures is."""
    figure = random.choice(scene.figures)
    called = called_by(random, figure, scene.figures)
    return boxed(wording(random, BOX, called), scene, figure, called)


def boxed(question: str, scene: Scene, figure: Figure, called: str) -> Exchange:
    """A question whose answer is the figure's box."""
    return Exchange(
        question,
        f"The {figure.name} is at the {place_in(scene, figure)}.",
        f"The {called} is here: {box_text(scene, figure)}",
        box_of(scene, figure),
    )
