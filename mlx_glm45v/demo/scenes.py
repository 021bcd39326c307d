"""The drawings that the demo model was trained on: flat shapes on plain paper.

Knows shapes, colours, where they stand and how Pillow draws them. Does not know
questions, tokens or models. Everything follows from the random source that the caller
seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

RGB = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star")
COLOURS: Mapping[str, RGB] = MappingProxyType(
    {
        "red": (220, 40, 45),
        "green": (40, 160, 70),
        "blue": (45, 90, 215),
        "yellow": (245, 208, 45),
        "purple": (140, 60, 180),
        "orange": (245, 130, 30),
        "black": (30, 30, 32),
    }
)
COUNTS = (1, 2, 2, 3, 3, 4)
LARGEST = (0.34, 0.28, 0.22, 0.2)  # radius, by the number of figures
PAPERS: tuple[RGB, ...] = (
    (255, 255, 255),
    (240, 240, 238),
    (250, 243, 225),
    (226, 238, 250),
    (230, 246, 230),
    (250, 230, 238),
)


def _regular(corners: int, *, inner: float | None = None) -> tuple[complex, ...]:
    """Corners of a regular polygon, point up; with `inner`, of a star."""
    count = corners * 2 if inner else corners
    return tuple(
        (inner if inner and index % 2 else 1.0)
        * complex(
            math.sin(2 * math.pi * index / count),
            -math.cos(2 * math.pi * index / count),
        )
        for index in range(count)
    )


OUTLINES: Mapping[str, tuple[complex, ...]] = MappingProxyType(
    {
        "square": tuple(0.88 * c for c in (-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j)),
        "triangle": tuple(1.15 * c + 0.2j for c in _regular(3)),
        "star": tuple(1.12 * c for c in _regular(5, inner=0.45)),
    }
)


@dataclass(frozen=True)
class Figure:
    """One shape: its centre, half its width and its turn in radians, in scene units."""

    shape: str
    colour: str
    fill: RGB
    x: float
    y: float
    radius: float
    turn: float = 0.0

    @property
    def name(self) -> str:
        """Colour and shape, as a person says it."""
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """A still drawing; its figures go from left to right."""

    width: int
    height: int
    paper: RGB
    figures: tuple[Figure, ...]


def random_fill(random: Random, colour: str, *, spread: int = 16) -> RGB:
    """The colour's RGB, each channel off by up to `spread`."""
    red, green, blue = (
        min(255, max(0, channel + random.randint(-spread, spread)))
        for channel in COLOURS[colour]
    )
    return red, green, blue


def random_paper(random: Random) -> RGB:
    """A light background; half of the time it is white."""
    return PAPERS[0] if random.random() < 0.5 else random.choice(PAPERS)


def random_scene(
    random: Random, *, width: int = 112, height: int = 112, count: int | None = None
) -> Scene:
    """A scene of `count` figures (1 to 4 when None) that neither touch nor stack.

    No two figures agree in both shape and colour, and the order from left to right is
    clear: centres differ by a ninth of the width at least.
    """
    wanted = count if count is not None else random.choice(COUNTS)
    kinds = [(shape, colour) for shape in SHAPES for colour in COLOURS]
    chosen = random.sample(kinds, wanted)
    placed = _place(random, wanted, width=width, height=height)
    figures = tuple(
        Figure(
            shape=shape,
            colour=colour,
            fill=random_fill(random, colour),
            x=x,
            y=y,
            radius=radius,
            turn=random.uniform(-0.2, 0.2),
        )
        for (shape, colour), (x, y, radius) in zip(chosen, placed, strict=True)
    )
    return Scene(width, height, random_paper(random), figures)


def _place(
    random: Random, count: int, *, width: int, height: int
) -> list[tuple[float, float, float]]:
    """Centres and radii, from left to right."""
    side = min(width, height)
    largest = LARGEST[count - 1]
    while True:
        for _ in range(40):
            spots = []
            for _ in range(count):
                radius = random.uniform(0.12, largest) * side
                margin = 1.2 * radius
                spots.append(
                    (
                        random.uniform(margin, width - margin),
                        random.uniform(margin, height - margin),
                        radius,
                    )
                )
            spots.sort()
            if _is_clear(spots, step=width / 9):
                return spots
        largest = max(0.13, largest - 0.02)


def _is_clear(spots: list[tuple[float, float, float]], *, step: float) -> bool:
    for index, (x, y, radius) in enumerate(spots):
        for other_x, other_y, other_radius in spots[index + 1 :]:
            if other_x - x < step:
                return False
            if math.hypot(other_x - x, other_y - y) < 1.25 * (radius + other_radius):
                return False
    return True


def draw_figure(
    pen: ImageDraw.ImageDraw, figure: Figure, *, scale: float = 1.0
) -> None:
    """Fill the figure's outline; `scale` is pixels per scene unit."""
    centre = complex(figure.x, figure.y) * scale
    radius = figure.radius * scale
    if figure.shape == "circle":
        pen.ellipse(
            (
                centre.real - radius,
                centre.imag - radius,
                centre.real + radius,
                centre.imag + radius,
            ),
            fill=figure.fill,
        )
        return
    turn = radius * complex(math.cos(figure.turn), math.sin(figure.turn))
    corners = [centre + turn * corner for corner in OUTLINES[figure.shape]]
    pen.polygon([(corner.real, corner.imag) for corner in corners], fill=figure.fill)


def draw(scene: Scene, *, scale: float = 1.0) -> Image.Image:
    """The scene as an RGB picture of (width * scale, height * scale) pixels."""
    size = (round(scene.width * scale), round(scene.height * scale))
    picture = Image.new("RGB", size, scene.paper)
    pen = ImageDraw.Draw(picture)
    for figure in scene.figures:
        draw_figure(pen, figure, scale=scale)
    return picture


def add_noise(
    pixels: np.ndarray[Any, np.dtype[np.uint8]], *, deviation: float, seed: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels (height, width, 3) with normal noise of `deviation` grey levels."""
    noise = np.random.default_rng(seed).normal(0.0, deviation, pixels.shape)
    levels = pixels.astype(np.float32) + noise.astype(np.float32)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
