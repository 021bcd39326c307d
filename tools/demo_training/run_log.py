"""The files in which a training run tells its losses and its right answers by step.

Knows their lines. Does not know how anything is trained or drawn.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

LOSSES, SCORES = "loss.csv", "right.csv"
LOSS_HEAD = "step,words,naming,rate,seconds"
SCORE_HEAD = "step,kind,right"


def truncate_log(path: Path, head: str, *, step: int) -> None:
    """Drop the lines of steps that a resumed run takes again."""
    if not path.exists():
        path.write_text(f"{head}\n")
        return
    first, *lines = path.read_text().splitlines()
    kept = [line for line in lines if int(line.split(",")[0]) <= step]
    path.write_text("\n".join([first, *kept]) + "\n")


def read_losses(run: Path) -> Mapping[str, list[float]]:
    """The columns of the losses by their names."""
    with (run / LOSSES).open() as file:
        rows = [
            {name: float(told) for name, told in row.items()}
            for row in csv.DictReader(file)
        ]
    return {name: [row[name] for row in rows] for name in LOSS_HEAD.split(",")}


def read_scores(run: Path) -> Mapping[str, list[tuple[int, float]]]:
    """Each kind's steps and shares of right answers; kinds may have commas."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in (run / SCORES).read_text().splitlines()[1:]:
        step, rest = line.split(",", 1)
        kind, share = rest.rsplit(",", 1)
        found.setdefault(kind, []).append((int(step), float(share)))
    return found
