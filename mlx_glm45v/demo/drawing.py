"""Scenes and clips whose figures are all seen in training, or all held out.

Knows how kinds of figures are chosen for places. Does not know questions or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from PIL import Image

from mlx_glm45v.demo.clips import Clip, random_clip
from mlx_glm45v.demo.combinations import is_figure_held_out
from mlx_glm45v.demo.scenes import (
    COLOURS,
    COUNTS,
    SHAPES,
    Figure,
    Scene,
    draw,
    random_fill,
    random_scene,
)

KINDS = tuple((shape, colour) for shape in SHAPES for colour in COLOURS)


@dataclass(frozen=True)
class Appearance:
    """A clip of `seconds` whose last figure is there only from second `since` on."""

    scene: Scene
    since: int
    seconds: float

    def scene_at(self, time: float) -> Scene:
        """The scene at `time` seconds."""
        if time >= self.since:
            return self.scene
        return replace(self.scene, figures=self.scene.figures[:-1])

    def frame(self, time: float, *, scale: float = 1.0) -> Image.Image:
        """The picture at `time` seconds."""
        return draw(self.scene_at(time), scale=scale)


def recast(random: Random, figure: Figure, kinds: Sequence[tuple[str, str]]) -> Figure:
    """The figure as one of the kinds (shape, colour)."""
    shape, colour = random.choice(kinds)
    return replace(figure, shape=shape, colour=colour, fill=random_fill(random, colour))


def fitting_kinds(
    scene: Scene, figure: Figure, *, held_out: bool, taken: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Kinds (shape, colour) that may stand where the figure does."""
    found = []
    for shape, colour in KINDS:
        one = replace(figure, shape=shape, colour=colour)
        if one.name not in taken and is_figure_held_out(scene, one) == held_out:
            found.append((shape, colour))
    return found


def combined_scene(
    random: Random,
    *,
    held_out: bool,
    width: int = 112,
    height: int = 112,
    counts: Sequence[int] = COUNTS,
) -> Scene:
    """A scene whose figures are all of held-out combinations, or none is.

    It has one of `counts` figures, and no two agree in both shape and colour.
    """
    count = random.choice(counts)
    while True:
        scene = random_scene(random, width=width, height=height, count=count)
        figures: list[Figure] = []
        for figure in scene.figures:
            taken = [other.name for other in figures]
            kinds = fitting_kinds(scene, figure, held_out=held_out, taken=taken)
            if not kinds:
                break
            figures.append(recast(random, figure, kinds))
        else:
            return replace(scene, figures=tuple(figures))


def combined_clip(
    random: Random,
    *,
    held_out: bool,
    width: int = 112,
    height: int = 112,
    seconds: float | None = None,
) -> Clip:
    """A clip that starts with a held-out combination, or never shows one."""
    while True:
        clip = random_clip(random, width=width, height=height, seconds=seconds)
        kinds = fitting_kinds(clip.scene, clip.figure, held_out=held_out)
        if kinds:
            figure = recast(random, clip.figure, kinds)
            clip = replace(clip, scene=replace(clip.scene, figures=(figure,)))
            if held_out or not shows_held_out(clip):
                return clip


def starts_held_out(clip: Clip) -> bool:
    """Whether its figure, where it starts, is of a held-out combination."""
    return is_figure_held_out(clip.scene, clip.figure)


def shows_held_out(clip: Clip) -> bool:
    """Whether a held-out combination is to be seen at any time of the clip."""
    scenes = (clip.scene_at(clip.seconds * part / 16) for part in range(17))
    return any(is_figure_held_out(scene, scene.figures[0]) for scene in scenes)


def random_appearance(
    random: Random,
    *,
    held_out: bool,
    width: int = 112,
    height: int = 112,
    seconds: float = 3.0,
) -> Appearance:
    """One or two figures from the start on, and one that comes at a whole second."""
    scene = combined_scene(
        random, held_out=held_out, width=width, height=height, counts=(2, 2, 3)
    )
    figures = list(scene.figures)
    figures.append(figures.pop(random.randrange(len(figures))))
    since = random.randint(1, int(seconds) - 1)
    return Appearance(replace(scene, figures=tuple(figures)), since, seconds)
