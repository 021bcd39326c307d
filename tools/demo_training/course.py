"""The demo's batches, a pure function of seed and step.

Knows how formats and kinds are mixed and padded. Does not know the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from demo_training.lessons import FORMATS, LESSONS, Frame
from demo_training.packing import Branch, Packer, Row
from demo_training.showing import COLUMNS, Media, media_of

from mlx_glm45v.demo import questions

FRAMES_TOLD = 8
SEEING = 1000  # steps in which only the vision tower learns
# format: share of batches, rows of a batch, conversations of a row
MIX = {
    "picture": (0.36, 9, 5),
    "later picture": (0.12, 5, 4),
    "pictures": (0.07, 5, 4),
    "change": (0.07, 6, 3),
    "page": (0.12, 14, 1),
    "clip": (0.22, 6, 3),
    "appearance": (0.05, 6, 4),
    "picture and clip": (0.22, 5, 4),
}
THINKING = 0.35
SYSTEMS = ("You are a helpful assistant.", "Be brief.", "Answer in one sentence.")


@dataclass(frozen=True)
class Packed:
    """Right-padded rows of B conversations' tokens, see `packing.Row`.

    ids, targets, branches (B, L), positions (3, B, L), pixel_values, grid_thw; cells
    (M, 13) of all placeholders in order, see `showing.COLUMNS`, and earlier (M, 4) of
    the same ones, see `earlier_cells`. Each of the others begins with a token's row and
    column: marks (K, 8) go on with six labels, names (N, 4) with shape and colour,
    answers (A, 4) with number and topic, asked (Q, 3) with a number.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    branches: torch.Tensor
    positions: torch.Tensor
    pixel_values: torch.Tensor
    grid_thw: torch.Tensor
    cells: torch.Tensor
    marks: torch.Tensor
    earlier: torch.Tensor
    names: torch.Tensor
    answers: torch.Tensor
    asked: torch.Tensor

    def mask(self) -> torch.Tensor:
        """(B, 1, L, L): 0 where a token may look, at the start and its own branch."""
        length = self.ids.shape[1]
        seen = self.branches[:, None, :]
        allowed = (seen == 0) | (seen == self.branches[:, :, None])
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        blocked = ~(allowed & causal)[:, None]
        return torch.zeros(blocked.shape).masked_fill_(blocked, -1e9)


def earlier_cells(media: Sequence[Media]) -> np.ndarray:
    """(cells, 4): the number of a cell's frame in its row, the shape and colour of the
    same cell one frame (pair) before, and whether an earlier medium has its figure; -1
    where there is no such cell, or no figure."""
    told = [np.zeros((0, 4), np.int64)]
    seen: set[tuple[int, int]] = set()
    before = None
    number = 0
    for index, one in enumerate(media):
        kinds = [(int(shape), int(colour)) for shape, colour in one.cells[:, :2]]
        again = np.array(
            [kind in seen if index and kind[0] else -1 for kind in kinds], np.int64
        )
        seen |= set(kinds)
        parts = zip(
            np.split(one.cells, len(one.pairs)),
            np.split(again, len(one.pairs)),
            strict=True,
        )
        for cells, repeated in parts:
            labels = np.full((len(cells), 4), -1, np.int64)
            labels[:, 3] = repeated
            labels[:, 0] = min(number, FRAMES_TOLD - 1)
            if before is not None and before[0] == one.grid:
                labels[:, 1:3] = before[1][:, :2]
            told.append(labels)
            before = (one.grid, cells)
            number += 1
    return np.concatenate(told)


def padded(rows: Sequence[Row], *, pad_id: int) -> Packed:
    """One batch of the rows."""
    length = -(-max(len(row.ids) for row in rows) // 8) * 8
    ids = np.full((len(rows), length), pad_id, np.int64)
    targets = np.full_like(ids, -100)
    branches = np.full_like(ids, -1)
    positions = np.zeros((3, len(rows), length), np.int64)
    marks = []
    names = []
    answers, asked = [], []
    media: list[Media] = []
    for index, row in enumerate(rows):
        end = len(row.ids)
        ids[index, :end] = row.ids
        targets[index, :end] = row.targets
        branches[index, :end] = row.branches
        positions[:, index, :end] = row.positions
        marks.append(np.insert(row.marks, 0, index, axis=1))
        names.append(np.insert(row.names, 0, index, axis=1))
        answers.append(np.insert(row.answers, 0, index, axis=1))
        asked.append(np.insert(row.asked, 0, index, axis=1))
        media += row.media
    patches = [pair for one in media for pair in one.pairs]
    grids = [(1, *one.grid) for one in media for _ in one.pairs]
    cells = [one.cells for one in media] or [np.zeros((0, COLUMNS), np.float32)]
    return Packed(
        ids=torch.from_numpy(ids),
        targets=torch.from_numpy(targets),
        branches=torch.from_numpy(branches),
        positions=torch.from_numpy(positions),
        pixel_values=torch.from_numpy(
            np.concatenate(patches) if patches else np.zeros((0, 1176), np.float32)
        ),
        grid_thw=torch.tensor(grids).view(-1, 3),
        cells=torch.from_numpy(np.concatenate(cells)),
        marks=torch.from_numpy(np.concatenate(marks).astype(np.float32)),
        earlier=torch.from_numpy(
            np.concatenate([earlier_cells(row.media) for row in rows])
        ),
        names=torch.from_numpy(np.concatenate(names)),
        answers=torch.from_numpy(np.concatenate(answers)),
        asked=torch.from_numpy(np.concatenate(asked)),
    )


def lesson_row(
    packer: Packer,
    random: Random,
    name: str,
    frame: Frame,
    count: int,
    *,
    thinking: float = THINKING,
) -> Row:
    """One row of a format with `count` conversations."""
    shown = FORMATS[name](random, frame, held_out=False)
    media = [media_of(random, drawn) for drawn in shown]
    lessons = [lesson for lesson in LESSONS.values() if lesson.format == name]
    asked = random.choices(lessons, [one.share for one in lessons], k=count)
    branches = [
        Branch(lesson.ask(random, shown), random.random() < thinking)
        for lesson in asked
    ]
    system = random.choice(SYSTEMS) if random.random() < 0.04 else None
    earlier = (
        random.choice(questions.SCENE_QUESTIONS)(random, shown[0])
        if name == "later picture"
        else None
    )
    return packer.row(media, branches, system=system, earlier=earlier)


def seeing_batch(packer: Packer, *, seed: int, step: int, pad_id: int, worker: int):
    """Pictures, pages and clips for the vision tower alone."""
    kinds = Random(f"see:{seed}:{step}:{worker}")
    frame = Frame.chosen(kinds)
    rows = []
    for index in range(14):
        random = Random(f"see:{seed}:{step}:{worker}:{index}")
        name = ("picture", "page", "picture", "clip", "page", "picture", "page")[
            index % 7
        ]
        rows.append(lesson_row(packer, random, name, frame, 1))
    return padded(rows, pad_id=pad_id)


def course_batch(
    packer: Packer, *, seed: int, step: int, pad_id: int, worker: int = 0
) -> Packed:
    """A worker's batch of a step, its pictures of one size, its rows of one format."""
    if step < SEEING:
        return seeing_batch(packer, seed=seed, step=step, pad_id=pad_id, worker=worker)
    # All workers take the same format and sizes: none waits for another.
    kinds = Random(f"course:{seed}:{step}")
    name = kinds.choices(list(MIX), [share for share, _, _ in MIX.values()])[0]
    _, count, conversations = MIX[name]
    frame = Frame.chosen(kinds)
    rows = []
    for index in range(count):
        random = Random(f"course:{seed}:{step}:{worker}:{index}")
        rows.append(lesson_row(packer, random, name, frame, conversations))
    if kinds.random() < 0.35:
        random = Random(f"course:{seed}:{step}:{worker}:text")
        rows.append(lesson_row(packer, random, "nothing", frame, 4))
    return padded(rows, pad_id=pad_id)
