"""Which drawings training may see, and which are kept for questions about the unseen.

Knows the rule: a combination of shape, colour, place and size, or two words that follow
one another, is held out when its hash says so. Does not know how anything is drawn.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from mlx_glm45v.demo.scenes import Figure, Scene

HELD_OUT_SHARE = 8  # one of so many combinations
LARGE = 0.19  # of the picture's shorter side; a radius from here on is large


@lru_cache(maxsize=16_384)
def is_held_out(*parts: str) -> bool:
    """Whether this combination is kept from training."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_SHARE == 0


def place_of(x: float, y: float) -> str:
    """The ninth of the picture that a point (each 0 to 1) is in."""
    down = ("top", "middle", "bottom")[min(2, int(y * 3))]
    across = ("left", "centre", "right")[min(2, int(x * 3))]
    return f"{down} {across}"


def place_in(scene: Scene, figure: Figure) -> str:
    """The ninth of the scene that the figure's centre is in."""
    return place_of(figure.x / scene.width, figure.y / scene.height)


def size_in(scene: Scene, figure: Figure) -> str:
    """Small or large."""
    side = min(scene.width, scene.height)
    return "large" if figure.radius >= LARGE * side else "small"


def is_figure_held_out(scene: Scene, figure: Figure) -> bool:
    """Whether the figure's shape, colour, place and size together are held out."""
    return is_held_out(
        figure.shape, figure.colour, place_in(scene, figure), size_in(scene, figure)
    )
