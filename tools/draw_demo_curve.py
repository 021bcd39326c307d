"""Draw a training run's losses and scores: python tools/draw_demo_curve.py RUN OUT.png.

RUN is the folder that `tools/train_demo.py` wrote.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("agg")
from matplotlib import pyplot

SMOOTH = 50  # steps


def smoothed(values: np.ndarray) -> np.ndarray:
    """A running mean, shorter by SMOOTH - 1."""
    return np.convolve(values, np.ones(SMOOTH) / SMOOTH, mode="valid")


def draw(run: Path, out: Path) -> None:
    """Two panels: losses by step, and the share of right answers by kind."""
    with (run / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = np.array([int(row["step"]) for row in rows])[SMOOTH - 1 :]
    words, naming = (
        smoothed(np.array([float(row[name]) for row in rows]))
        for name in ("words", "naming")
    )
    figure, (losses, scores) = pyplot.subplots(
        1, 2, figsize=(10, 4), dpi=90, layout="constrained"
    )
    spoken = words > 0
    losses.plot(steps[spoken], words[spoken], label="words")
    losses.plot(steps, naming, label="naming what each cell shows")
    losses.set(xlabel="step", ylabel="loss", yscale="log")
    losses.legend()
    right: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with (run / "right.csv").open() as file:
        for line in list(file)[1:]:
            step, rest = line.split(",", 1)
            kind, share = rest.rsplit(",", 1)  # kinds may have commas
            if not kind.endswith("(tokens)"):
                right[kind].append((int(step), float(share)))
    for index, (kind, points) in enumerate(sorted(right.items())):
        style = ("-", "--", ":")[index // 10 % 3]
        scores.plot(*zip(*points, strict=True), style, label=kind, linewidth=1)
    scores.set(xlabel="step", ylabel="right, word for word", ylim=(0, 1.02))
    scores.legend(fontsize=6, ncols=2)
    figure.savefig(out)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
