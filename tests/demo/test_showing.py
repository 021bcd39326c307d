"""What the trainer tells the vision tower about each cell is what is drawn there."""

from random import Random

import numpy as np
from demo_training.showing import COLUMNS, END, media_of

from mlx_glm45v.demo.boxes import box_of
from mlx_glm45v.demo.drawing import Appearance
from mlx_glm45v.demo.pages import random_page
from mlx_glm45v.demo.scenes import COLOURS, Figure, Scene
from mlx_glm45v.demo.words import ON_PAGES

STAR = Figure("star", "blue", COLOURS["blue"], 42, 28, 14)
CIRCLE = Figure("circle", "red", COLOURS["red"], 84, 84, 16)
SCENE = Scene(112, 112, (255, 255, 255), (STAR, CIRCLE))


def test_cells_of_a_figure_know_its_box_and_rank():
    cells = media_of(Random(0), SCENE).cells
    assert cells.shape == (16, COLUMNS)
    for rank, (figure, shape) in enumerate(((STAR, 4), (CIRCLE, 1)), 1):
        here = cells[cells[:, 0] == shape]
        assert len(here)
        assert (here[:, 10] == rank).all()
        told = (here[0, 6:10] + 1) * 500
        assert np.allclose(told, box_of(SCENE, figure), atol=1e-3)
    assert not cells[cells[:, 0] == 0, 6:].any()


def test_a_figure_that_comes_later_is_not_in_the_first_cells():
    media = media_of(Random(0), Appearance(SCENE, since=2, seconds=3.0))
    assert media.seconds == (0, 1, 2)
    seen = [set(part[:, 0]) for part in np.split(media.cells, 3)]
    assert seen == [{0, 4}, {0, 4}, {0, 1, 4}]
    assert media.marks is not None
    assert media.marks[:, 4:].tolist() == [[0.5, 0], [0.5, 0], [1, 1]]


def test_cells_where_a_word_begins_know_it_and_the_next_one():
    for seed in range(40):
        page = random_page(Random(seed), held_out=False)
        cells = media_of(Random(0), page).cells
        words, following = cells[:, 11].astype(int), cells[:, 12].astype(int)
        spelled = [ON_PAGES.index(word) + 1 for word in page.words]
        begins = words > 0
        chain = dict(zip(words[begins], following[begins], strict=True))
        assert chain == dict(zip(spelled, [*spelled[1:], END], strict=True))
