"""The picture of a training run in the demo's README."""

import numpy as np
import pytest
from demo_training.run_log import LOSS_HEAD, LOSSES, SCORE_HEAD, SCORES
from draw_demo_curve import SMOOTH, draw, smoothed, tells_boxes
from PIL import Image


def test_a_loss_is_smoothed_from_where_it_is_learned():
    steps = list(range(1, 501))
    steps_told, means = smoothed(steps, [0.0] * 200 + [2.0] * 300)
    assert steps_told.tolist() == list(range(200 + SMOOTH, 501))
    assert np.allclose(means, 2)


@pytest.mark.parametrize("losses", [[], [0.0, 0.0]])
def test_a_loss_that_is_not_learned_yet_has_no_curve(losses):
    steps, means = smoothed(range(len(losses)), losses)
    assert len(steps) == len(means) == 0


def test_a_short_run_is_smoothed_over_what_there_is():
    steps, means = smoothed([1, 2, 3], [0.0, 1.0, 3.0])
    assert steps.tolist() == [3]
    assert means.tolist() == [2]


@pytest.mark.parametrize(
    ("kind", "boxed"),
    [("box", True), ("second turn", True), ("third turn", True), ("describe", False)],
)
def test_kinds_whose_answers_hold_boxes_are_known(kind, boxed):
    assert tells_boxes(kind) == boxed


def is_readable_on_any_page(path):
    with Image.open(path) as picture:
        assert picture.width == 1800  # sharp at a README's 900 on fine screens
        assert "transparency" not in picture.info
        assert picture.mode == "P"  # no alpha channel
    assert path.stat().st_size < 150_000


def test_the_readmes_picture_is_small_and_opaque(demo_media):
    is_readable_on_any_page(demo_media.parent / "training.png")


def test_a_run_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    losses = [f"{s},{0.5 * (s > 1000)},2.0,0.002,0.3" for s in range(1, 1501)]
    (tmp_path / LOSSES).write_text("\n".join([LOSS_HEAD, *losses]) + "\n")
    kinds = ("describe", "box", "never taught, no picture")
    scores = [f"{step},{kind},0.5" for step in (1000, 1500) for kind in kinds]
    (tmp_path / SCORES).write_text("\n".join([SCORE_HEAD, *scores]) + "\n")
    draw(tmp_path, tmp_path / "out.png")
    is_readable_on_any_page(tmp_path / "out.png")
