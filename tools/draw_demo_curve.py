"""Draw a training run's losses and scores: python tools/draw_demo_curve.py RUN OUT.png.

RUN is the folder that `tools/train_demo.py` wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from demo_training.lessons import LESSONS, held_out_question  # noqa: E402
from demo_training.run_log import read_losses, read_scores  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTH = 100  # steps
COLUMNS = 6
BLUE, ORANGE, GREY = "#1f5fa8", "#c25a00", "#606060"
CAPTION = (
    "Right answers: the share of a kind's held-out questions that the averaged weights "
    "answer word for word, without thinking.\n"
    "Left out: {}. Their answers hold boxes, which are right where they fit, not digit "
    "for digit."
)


def smoothed(
    steps: Sequence[float], losses: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and running means of a loss from where it is first learned."""
    learned = next((i for i, loss in enumerate(losses) if loss > 0), len(losses))
    told = losses[learned:]
    width = min(SMOOTH, len(told))
    if not width:
        return np.zeros(0), np.zeros(0)
    means = np.convolve(told, np.ones(width) / width, mode="valid")
    return np.array(steps[learned + width - 1 :]), means


def tells_boxes(kind: str) -> bool:
    """Whether answers of this kind may hold a box."""
    asked = (held_out_question(kind, index) for index in range(24))
    return any(turn.box for question in asked for turn in question.turns)


def draw_losses(axes: Axes, run: Mapping[str, Sequence[float]]) -> None:
    """Both losses, each named at its line."""
    for name, told, colour, side in (
        ("naming", "naming what each cell shows", ORANGE, "bottom"),
        ("words", "words", BLUE, "top"),
    ):
        steps, means = smoothed(run["step"], run[name])
        axes.plot(steps, means, color=colour, linewidth=1.2)
        at = len(steps) // 3  # beyond the first fall
        beside = 1.6 if side == "bottom" else 0.65
        axes.text(steps[at], means[at] * beside, told, color=colour, va=side)
    axes.set(yscale="log", xlim=(0, run["step"][-1]))
    axes.set_title(f"Losses, mean of {SMOOTH} steps")


def draw_rate(axes: Axes, run: Mapping[str, Sequence[float]]) -> None:
    """The learning rate in thousandths."""
    rates = np.array(run["rate"]) * 1000
    axes.plot(run["step"], rates, color=GREY, linewidth=1.2)
    axes.set(xlim=(0, run["step"][-1]), ylim=(0, None))
    axes.set_title("Learning rate, thousandths")


def draw_kind(axes: Axes, kind: str, points: Sequence[tuple[int, float]]) -> None:
    """One kind's share of right answers in per cent."""
    steps, shares = zip(*points, strict=True)
    told = 100 * np.array(shares)
    axes.fill_between(steps, told, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(steps, told, color=BLUE, linewidth=1.2)
    axes.set(ylim=(0, 104), yticks=(0, 50, 100), xlim=(0, steps[-1]))
    axes.set_title(kind, fontsize=8)


def figure_of(run: Path) -> Figure:
    """Losses and learning rate above, a small panel of each kind below."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    losses, scores = read_losses(run), read_scores(run)
    kinds = [kind for kind in LESSONS if kind in scores and not tells_boxes(kind)]
    boxed = [kind for kind in LESSONS if kind in scores and kind not in kinds]
    rows = -(-len(kinds) // COLUMNS)
    style = {"font.size": 8, "axes.titlesize": 9, "axes.grid": True, "grid.alpha": 0.3}
    with pyplot.rc_context(style):
        figure = pyplot.figure(
            figsize=(9, 3 + 1.15 * rows), layout="constrained", facecolor="white"
        )
        above, below = figure.subfigures(2, 1, height_ratios=(2.6, 0.4 + 1.15 * rows))
        left, right = above.subplots(1, 2, width_ratios=(2, 1))
        draw_losses(left, losses)
        draw_rate(right, losses)
        left.set_xlabel("step")
        right.set_xlabel("step")
        panels = below.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for index, axes in enumerate(panels.flat):
            if index < len(kinds):
                draw_kind(axes, kinds[index], scores[kinds[index]])
                # Below the last of each column there is none that would tell steps.
                axes.tick_params(labelbottom=index + COLUMNS >= len(kinds))
            else:
                axes.set_visible(False)
        for axes in panels[:, 0]:
            axes.set_ylabel("right, %")
        below.supxlabel(CAPTION.format(", ".join(boxed)), fontsize=8)
    return figure


def draw(run: Path, out: Path) -> None:
    """Write the figure as a PNG of 1800 pixels' width and few colours."""
    drawn = BytesIO()
    figure_of(run).savefig(drawn, dpi=200)
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(64).save(out, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
