"""What the trainer tells the vision tower about each cell is what stands there."""

import numpy as np
import pytest
from demo_training.cells import cells_between, cells_of

from mlx_glm45v.demo.clips import Clip
from mlx_glm45v.demo.scenes import COLOURS, SHAPES, Figure, Scene

STAR = SHAPES.index("star") + 1
BLUE = list(COLOURS).index("blue") + 1


def scene_with_star(x: float, y: float) -> Scene:
    star = Figure("star", "blue", COLOURS["blue"], x, y, 12)
    return Scene(112, 84, (255, 255, 255), (star,))


def test_cells_under_a_figure_carry_its_shape_and_colour():
    cells = cells_of(scene_with_star(42, 14), grid=(6, 8)).reshape(3, 4, -1)
    assert cells[0, 1, :2].tolist() == [STAR, BLUE]
    cells[0, 1, :2] = 0
    assert not cells[..., :2].any()


def test_cells_know_where_they_are():
    cells = cells_of(scene_with_star(42, 14), grid=(6, 8)).reshape(3, 4, -1)
    assert cells[0, :, 2].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert cells[:, 0, 3] == pytest.approx([-2 / 3, 0, 2 / 3])


@pytest.mark.parametrize(
    ("direction", "moved"),
    [("right", (1.25, 0)), ("left", (-1.25, 0)), ("up", (0, -5 / 3))],
)
def test_cells_of_a_frame_pair_carry_the_movement(direction, moved):
    clip = Clip(scene_with_star(56, 42), direction, distance=56, seconds=2)
    cells = cells_between(clip, 0, grid=(6, 8))
    covered = cells[:, 0] == STAR
    assert covered.any()
    assert np.allclose(cells[covered, 4:], moved)
    assert not cells[~covered, 4:].any()
