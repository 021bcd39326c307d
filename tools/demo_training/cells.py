"""What stands in each cell of a picture: a hint for the vision tower while it learns.

A cell is what one placeholder token sees (28 x 28 pixels). Knows scenes and clips. Does
not know patches or models. Columns of the arrays: shape and colour (1-based, 0 for
paper), x and y of the cell from -1 to 1, and the figure's movement across and down
between the two frames of a pair, in tenths of the picture.
"""

from __future__ import annotations

import numpy as np

from mlx_glm45v.demo.clips import DIRECTIONS, Clip
from mlx_glm45v.demo.scenes import COLOURS, SHAPES, Scene

COLUMNS = 6
_COLOURS = tuple(COLOURS)


def cells_of(scene: Scene, grid: tuple[int, int]) -> np.ndarray:
    """Cells (h/28 * w/28, 6) of a scene whose patches form `grid`, row by row."""
    rows, columns = grid[0] // 2, grid[1] // 2
    y, x = np.divmod(np.arange(rows * columns), columns)
    high, wide = scene.height / rows, scene.width / columns
    cells = np.zeros((rows * columns, COLUMNS), np.float32)
    cells[:, 2] = (x + 0.5) / columns * 2 - 1
    cells[:, 3] = (y + 0.5) / rows * 2 - 1
    nearest = np.full(rows * columns, np.inf)
    for figure in scene.figures:
        # Distance from the figure's centre to the cell, in radii.
        across = np.maximum(abs(figure.x - (x + 0.5) * wide) - wide / 2, 0)
        down = np.maximum(abs(figure.y - (y + 0.5) * high) - high / 2, 0)
        away = np.hypot(across, down) / figure.radius
        here = (away < 0.6) & (away < nearest)
        nearest[here] = away[here]
        cells[here, 0] = SHAPES.index(figure.shape) + 1
        cells[here, 1] = _COLOURS.index(figure.colour) + 1
    return cells


def place_at(clip: Clip, time: float) -> tuple[float, float]:
    """Where the clip's figure is, across and down from -1 to 1."""
    figure = clip.scene_at(time).figures[0]
    return figure.x / clip.scene.width * 2 - 1, figure.y / clip.scene.height * 2 - 1


def cells_between(clip: Clip, second: int, grid: tuple[int, int]) -> np.ndarray:
    """Cells of the frames at `second` and half a second later."""
    cells = cells_of(clip.scene_at(second + 0.25), grid)
    across, down = DIRECTIONS[clip.direction]
    moved = clip.distance * 0.5 / clip.seconds
    covered = cells[:, 0] > 0
    cells[covered, 4] = across * moved / clip.scene.width * 10
    cells[covered, 5] = down * moved / clip.scene.height * 10
    return cells
