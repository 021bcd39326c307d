"""Held-out questions: scenes and clips from seeds that training never uses.

Knows the kinds that scores are reported for. Does not know any model.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from demo_training.samples import CANVASES, CLIP_CANVASES

from mlx_glm45v.demo import questions
from mlx_glm45v.demo.clips import Clip, random_clip
from mlx_glm45v.demo.questions import Exchange
from mlx_glm45v.demo.scenes import Scene, random_scene

STILL_KINDS = {
    "describe": questions.describe,
    "count": questions.count,
    "count of a shape": questions.count_some,
    "colour": questions.colour,
    "shape": questions.shape,
}
CLIP_KINDS = {
    "describe video": questions.describe_clip,
    "direction": questions.direction,
    "colour in a video": questions.clip_colour,
}
KINDS = (*STILL_KINDS, *CLIP_KINDS, "greeting")


@dataclass(frozen=True)
class Question:
    """What is shown (nothing, a scene or a clip), asked and expected.

    `random` draws what is left open: the scale of the drawing and its noise.
    """

    shown: Scene | Clip | None
    exchange: Exchange
    random: Random


@dataclass(frozen=True)
class Answer:
    """The model's thought (None when it opened none) and its answer."""

    thought: str | None
    text: str


def held_out(kind: str, index: int) -> Question:
    """The `index`-th held-out question of a kind."""
    random = Random(f"held-out:{kind}:{index}")
    if kind in STILL_KINDS:
        width, height = random.choice(CANVASES)
        scene = random_scene(random, width=width, height=height)
        return Question(scene, STILL_KINDS[kind](random, scene), random)
    if kind in CLIP_KINDS:
        width, height = random.choice(CLIP_CANVASES)
        clip = random_clip(random, width=width, height=height)
        return Question(clip, CLIP_KINDS[kind](random, clip), random)
    return Question(None, questions.greeting(random), random)
