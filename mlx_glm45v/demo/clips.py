"""Short films of one shape that moves, or does not.

Knows a shape's path over time and how to draw a moment of it. Does not know the frame
rates of files, questions or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from PIL import Image

from mlx_glm45v.demo.scenes import (
    COLOURS,
    SHAPES,
    Figure,
    Scene,
    draw,
    random_fill,
    random_paper,
)

DIRECTIONS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1), "still": (0, 0)}
)

LASTING = (2.0, 3.0, 3.0, 4.0)


@dataclass(frozen=True)
class Clip:
    """A scene whose only figure moves `distance` units in `seconds`, at even speed."""

    scene: Scene
    direction: str
    distance: float
    seconds: float

    @property
    def figure(self) -> Figure:
        """The shape where it starts."""
        return self.scene.figures[0]

    def scene_at(self, time: float) -> Scene:
        """The scene at `time` seconds; it stands still before 0 and after the end."""
        part = min(1.0, max(0.0, time / self.seconds))
        across, down = DIRECTIONS[self.direction]
        moved = replace(
            self.figure,
            x=self.figure.x + across * self.distance * part,
            y=self.figure.y + down * self.distance * part,
        )
        return replace(self.scene, figures=(moved,))

    def frame(self, time: float, *, scale: float = 1.0) -> Image.Image:
        """The picture at `time` seconds."""
        return draw(self.scene_at(time), scale=scale)


def random_clip(
    random: Random,
    *,
    width: int = 112,
    height: int = 112,
    seconds: float | None = None,
) -> Clip:
    """One shape that crosses most of its room, 2 to 4 seconds when None is given."""
    direction = random.choice(("right", "left", "up", "down") * 2 + ("still",))
    shape, colour = random.choice(SHAPES), random.choice(tuple(COLOURS))
    radius = random.uniform(0.12, 0.2) * min(width, height)
    margin = 1.2 * radius
    across, down = DIRECTIONS[direction]
    room = (width if across else height) - 2 * margin
    distance = random.uniform(0.6, 1.0) * room if direction != "still" else 0.0
    spare = distance * 0.5
    x = random.uniform(
        margin + spare * abs(across), width - margin - spare * abs(across)
    )
    y = random.uniform(margin + spare * abs(down), height - margin - spare * abs(down))
    figure = Figure(
        shape=shape,
        colour=colour,
        fill=random_fill(random, colour),
        x=x - across * spare,
        y=y - down * spare,
        radius=radius,
        turn=random.uniform(-0.2, 0.2),
    )
    scene = Scene(width, height, random_paper(random), (figure,))
    lasting = seconds if seconds is not None else random.choice(LASTING)
    return Clip(scene, direction, distance, lasting)
