"""Batches as a pure function of seed and step, so that a resumed run repeats nothing.

Knows how kinds of conversations are mixed and padded. Does not know the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from demo_training.samples import (
    CANVASES,
    CLIP_CANVASES,
    Sample,
    Writer,
    clip_sample,
    still_sample,
    text_sample,
)

from mlx_glm45v.demo.clips import LASTING
from mlx_glm45v.demo.scenes import COUNTS

FEW = (1, 1, 2)  # figures of the first pictures
FIRST_CROWDS = 300
FIRST_CLIPS = 400
FIRST_MOVES = 1700  # from here on more clips, and their movement counts more
FIRST_MORE_COLOURS = 4400  # which shape has which colour is learned last


@dataclass(frozen=True)
class Batch:
    """Right-padded rows: ids, targets (B, L), positions (3, B, L), and all patches.

    `cells` (M, 6) has a row for each placeholder, `marks` (K, 6) for each time text:
    row, column, place and way so far.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    positions: torch.Tensor
    pixel_values: torch.Tensor
    grid_thw: torch.Tensor
    cells: torch.Tensor
    marks: torch.Tensor


def padded(samples: Sequence[Sample], *, pad_id: int) -> Batch:
    """One batch of the samples; at least one of them has a picture."""
    length = -(-max(len(sample.ids) for sample in samples) // 8) * 8
    ids = np.full((len(samples), length), pad_id, dtype=np.int64)
    targets = np.full_like(ids, -100)
    positions = np.zeros((3, len(samples), length), dtype=np.int64)
    patches, grids, cells, marks = [], [], [], []
    for row, sample in enumerate(samples):
        end = len(sample.ids)
        ids[row, :end] = sample.ids
        targets[row, :end] = sample.targets
        positions[:, row, :end] = sample.positions
        marks.append(np.insert(sample.marks, 0, row, axis=1))
        for media in sample.media:
            patches += media.pairs
            grids += [(1, *media.grid)] * len(media.pairs)
            cells.append(media.cells)
    return Batch(
        ids=torch.from_numpy(ids),
        targets=torch.from_numpy(targets),
        positions=torch.from_numpy(positions),
        pixel_values=torch.from_numpy(np.concatenate(patches)),
        grid_thw=torch.tensor(grids),
        cells=torch.from_numpy(np.concatenate(cells)),
        marks=torch.from_numpy(np.concatenate(marks)),
    )


def make_batch(
    writer: Writer,
    *,
    seed: int,
    step: int,
    pad_id: int,
    worker: int = 0,
    rows: int = 24,
) -> Batch:
    """A worker's batch of a step: easy pictures first, then others, then videos too.

    All pictures of a batch have one size, and its conversations as many turns: little
    is padding, and the pictures go through the vision tower side by side. A video holds
    about three times a picture's patches, so its batches have fewer rows.
    """
    kinds = Random(f"train:{seed}:{step}:{worker}")
    more_colours = step >= FIRST_MORE_COLOURS
    share = 0.42 if FIRST_MOVES <= step < FIRST_MORE_COLOURS else 0.27
    clips = step >= FIRST_CLIPS and kinds.random() < share
    canvas = kinds.choice(CLIP_CANVASES if clips else CANVASES)
    seconds = kinds.choice(LASTING)
    turns = kinds.choice((1, 1, 2) if clips else (1, 1, 2, 3))
    pictures = 2 if turns == 1 and kinds.random() < 0.25 else 1
    samples = []
    part = 5 / 12 if clips else 1 / pictures**0.5
    for row in range(max(1, round(rows * part))):
        random = Random(f"train:{seed}:{step}:{worker}:{row}")
        if row > 0 and kinds.random() < 0.03:
            samples.append(text_sample(writer, random))
        elif clips:
            samples.append(
                clip_sample(writer, random, canvas=canvas, seconds=seconds, turns=turns)
            )
        else:
            samples.append(
                still_sample(
                    writer,
                    random,
                    canvas=canvas,
                    turns=turns,
                    pictures=pictures,
                    counts=FEW if step < FIRST_CROWDS else COUNTS,
                    more_colours=more_colours,
                )
            )
    return padded(samples, pad_id=pad_id)
