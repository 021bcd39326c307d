"""Hints for the decoder: look at what a word names, remember the frame before.

Knows layers, queries and keys of the model, and the labels of a batch. Does not know
how a step is taken. Its linear heads are thrown away after the training.
"""

from __future__ import annotations

from functools import partial

import torch
from demo_training.course import FRAMES_TOLD, Packed
from torch import nn
from torch.nn import functional
from transformers import Glm4vMoeForConditionalGeneration

from mlx_glm45v.demo.scenes import COLOURS, SHAPES

LAYER, HEAD = 1, 0  # the attention that learns to point
EARLIER = (len(SHAPES) + 1, len(COLOURS) + 1, 2)  # shape, colour, is it another now
EDGES = 4
# Of the one figure named: shape, colour, rank, and each edge's two digits.
KNOWN = (len(SHAPES) + 1, len(COLOURS) + 1, 5, *(11, 10) * EDGES)


class Pointing(nn.Module):
    """What the decoder's first layers should find out, as losses.

    One head's attention goes from a word to the cells that it names; cells know the
    number of their frame and what stood there a frame before; and a word that names one
    figure knows what it is and where.
    """

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        super().__init__()
        width = model.config.text_config.hidden_size
        self.numbering = nn.Linear(width, FRAMES_TOLD)
        self.recalling = nn.Linear(width, sum(EARLIER))
        self.knowing = nn.Linear(width, sum(KNOWN))
        self._image_id = model.config.image_token_id
        layers = model.model.language_model.layers
        self._attention = [layers[min(LAYER, len(layers) - 1)].self_attn]
        self._attention[0].noted = None
        self._read: dict[int, torch.Tensor] = {}
        for index in (0, 1, 2):
            layer = layers[min(index, len(layers) - 1)]
            layer.register_forward_hook(partial(self._note, index))

    def _note(
        self, index: int, _layer: nn.Module, _inputs: object, output: torch.Tensor
    ) -> None:
        self._read[index] = output

    def forget(self) -> None:
        """Before and after each forward of the model."""
        self._read.clear()
        self._attention[0].noted = None

    def loss(self, batch: Packed) -> torch.Tensor:
        """How badly the last forward points, remembers and knows."""
        if not len(batch.cells):
            return self._read[0].new_zeros((), dtype=torch.float32)
        placeholders = batch.ids == self._image_id
        remembered = self._remembered(batch, placeholders)
        return remembered + self._pointed(batch, placeholders)

    def _remembered(self, batch: Packed, placeholders: torch.Tensor) -> torch.Tensor:
        number, shape, colour = batch.earlier.T
        loss = self._read[0].new_zeros((), dtype=torch.float32)
        if number.any():
            numbers = self.numbering(self._read[0][placeholders].float())
            loss = loss + 0.5 * functional.cross_entropy(numbers, number)
        known = shape >= 0
        if known.any():
            told = self.recalling(self._read[1][placeholders][known].float())
            before = torch.stack([shape, colour], dim=1)[known]
            changed = (before != batch.cells[known, :2].long()).any(1).long()
            for logits, labels in zip(
                told.split(EARLIER, dim=-1), (*before.T, changed), strict=True
            ):
                loss = loss + even_loss(logits, labels)
        return loss

    def _pointed(self, batch: Packed, placeholders: torch.Tensor) -> torch.Tensor:
        labels = batch.cells.new_zeros(*batch.ids.shape, batch.cells.shape[1])
        labels[placeholders] = batch.cells
        rows, columns, shape, colour = batch.names.T
        there = labels[rows]  # (N, L, columns)
        named = (
            (there[..., 0] > 0)
            & ((there[..., 0] == shape[:, None]) | (shape[:, None] == 0))
            & ((there[..., 1] == colour[:, None]) | (colour[:, None] == 0))
        )
        exists = named.any(1)
        if not exists.any():
            return labels.new_zeros(())
        rows, columns, named, there = (
            values[exists] for values in (rows, columns, named, there)
        )
        query, key, mask = self._attention[0].noted
        scores = torch.einsum(
            "nd,nld->nl", query[rows, HEAD, columns].float(), key[rows, 0].float()
        )
        scores = scores * query.shape[-1] ** -0.5 + mask[rows, 0, columns]
        far = scores.masked_fill(~named, -1e9)
        loss = (scores.logsumexp(-1) - far.logsumexp(-1)).mean()
        return loss + self._known(rows, columns, named, there)

    def _known(
        self,
        rows: torch.Tensor,
        columns: torch.Tensor,
        named: torch.Tensor,
        there: torch.Tensor,
    ) -> torch.Tensor:
        boxes = there[..., 6:10]
        low = boxes.masked_fill(~named[..., None], 9.0).amin(1)
        high = boxes.masked_fill(~named[..., None], -9.0).amax(1)
        single = (high - low).amax(1) < 1e-4
        if not single.any():
            return boxes.new_zeros(())
        first = named.long().argmax(1)
        cells = there[torch.arange(len(rows)), first][single]
        hundredths = ((cells[:, 6:10] + 1) * 50).round().long()
        wanted = [cells[:, 0].long(), cells[:, 1].long(), cells[:, 10].long()]
        for edge in hundredths.T:
            wanted += [edge // 10, edge % 10]
        read = self._read[2][rows[single], columns[single]].float()
        told = self.knowing(read).split(KNOWN, dim=-1)
        losses = [
            functional.cross_entropy(logits, labels)
            for logits, labels in zip(told, wanted, strict=True)
        ]
        return 0.25 * torch.stack(losses).sum()


def even_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy in which the few cells that show something weigh as all others."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    something = labels > 0
    halves = [
        (losses * part).sum() / part.sum().clamp(min=1)
        for part in (something, ~something)
    ]
    return 0.5 * (halves[0] + halves[1])
