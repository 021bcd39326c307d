"""Hints for the decoder: look at what a word names, remember the frame before.

Knows layers, queries and keys of the model, and the labels of a batch. Does not know
how a step is taken. Its linear heads are thrown away after the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from demo_training.course import FRAMES_TOLD, Packed
from demo_training.hints import even_loss
from demo_training.packing import CHANGE, SAME
from torch import nn
from torch.nn import functional
from transformers import Glm4vMoeForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mlx_glm45v.demo.boxes import TOLD
from mlx_glm45v.demo.scenes import COLOURS, SHAPES

LAYER, HEAD = 1, 0  # the attention that learns to point
ANSWERS_LAYER, ANSWERS_HEAD = 2, 2  # that learns to look at what was asked about
EARLIER = (len(SHAPES) + 1, len(COLOURS) + 1, 2)  # shape, colour, is it another now
EDGES = 4
STEPS = 1000 // TOLD  # of which each edge of a box in an answer is a whole number
BOX = (STEPS + 1,) * EDGES
KNOWN = (len(SHAPES) + 1, len(COLOURS) + 1, 5, *BOX)  # shape, colour, rank, box
COUNTED = 5  # figures of a picture that a word may name, from none on


class Pointing(nn.Module):
    """What the decoder's first layers should find out, as losses.

    One head's attention goes from a word to the cells that it names; cells know the
    number of their frame and what stood there a frame before, and their figure's box; a
    word that names one figure knows what it is and where, and any how many it names.
    """

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        super().__init__()
        width = model.config.text_config.hidden_size
        self.numbering = nn.Linear(width, FRAMES_TOLD)
        self.recalling = nn.Linear(width, sum(EARLIER))
        self.knowing = nn.Linear(width, sum(KNOWN))
        self.placing = nn.Linear(width, FRAMES_TOLD)
        self.counting = nn.Linear(width, COUNTED)
        self.measuring = nn.Linear(width, sum(BOX))
        self.meeting = nn.Linear(width, 2)
        self._image_id = model.config.image_token_id
        layers = model.model.language_model.layers
        self._attention = [
            layers[min(layer, len(layers) - 1)].self_attn
            for layer in (LAYER, ANSWERS_LAYER)
        ]
        for attention in self._attention:
            attention.noted = None
        self._read: dict[int, torch.Tensor] = {}
        self._seen: list[torch.Tensor] = []
        model.model.visual.register_forward_hook(self._note_features)
        for index in (0, 1):
            layer = layers[min(index, len(layers) - 1)]
            layer.register_forward_hook(partial(self._note, index))

    def _note(
        self, index: int, _layer: nn.Module, _inputs: object, output: torch.Tensor
    ) -> None:
        self._read[index] = output

    def _note_features(
        self, _tower: nn.Module, _inputs: object, outputs: BaseModelOutputWithPooling
    ) -> None:
        assert outputs.pooler_output is not None
        self._seen.append(outputs.pooler_output)

    def forget(self) -> None:
        """Before and after each forward of the model."""
        self._read.clear()
        self._seen.clear()
        for attention in self._attention:
            attention.noted = None

    def loss(self, batch: Packed) -> torch.Tensor:
        """How badly the last forward points, remembers and knows."""
        if not len(batch.cells):
            return self._read[0].new_zeros((), dtype=torch.float32)
        placeholders = batch.ids == self._image_id
        return (
            self._remembered(batch, placeholders)
            + self._pointed(batch, placeholders)
            + 0.3 * self._measured(batch)
            + 0.5 * self._answered(batch, placeholders)
        )

    def _answered(self, batch: Packed, placeholders: torch.Tensor) -> torch.Tensor:
        """Answers look at what their question names, or at the cells that changed."""
        rows, columns, number, topic = batch.answers.T
        wanted = torch.zeros(len(rows), batch.ids.shape[1], dtype=torch.bool)
        where, at, asked = batch.asked.T
        same = (rows[:, None] == where) & (number[:, None] == asked)
        answer, target = same.nonzero().T
        wanted[answer, at[target]] = True
        before, again = batch.earlier[:, 1:3], batch.earlier[:, 3]
        changed = torch.zeros_like(placeholders)
        changed[placeholders] = (before[:, 0] >= 0) & (
            before != batch.cells[:, :2].long()
        ).any(1)
        wanted |= changed[rows] & (topic == CHANGE)[:, None]
        wanted |= self._same(again, placeholders)[rows] & (topic == SAME)[:, None]
        asks = wanted.any(1)
        if not asks.any():
            return batch.cells.new_zeros(())
        scores = _scores(self._attention[1].noted, ANSWERS_HEAD)
        return _missed(scores[rows[asks], columns[asks]], wanted[asks])

    def _measured(self, batch: Packed) -> torch.Tensor:
        """The edges of each cell's box, from the vision tower's features."""
        (seen,) = self._seen
        covered = batch.cells[:, 10] > 0
        if not covered.any():
            return seen.new_zeros((), dtype=torch.float32)
        told = self.measuring(seen[covered].float()).split(BOX, dim=-1)
        return _summed(told, _steps(batch.cells[covered, 6:10]))

    @staticmethod
    def _same(again: torch.Tensor, placeholders: torch.Tensor) -> torch.Tensor:
        """(B, L): the cells of figures that an earlier medium has, or where a row has
        none of them all its later figures' cells."""
        label = torch.full(placeholders.shape, -1)
        label[placeholders] = again
        same = label == 1
        return torch.where(same.any(1, keepdim=True), same, label == 0)

    def _remembered(self, batch: Packed, placeholders: torch.Tensor) -> torch.Tensor:
        number, shape, colour, again = batch.earlier.T
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
        if (again >= 0).any():
            told = self.meeting(self._read[1][placeholders][again >= 0].float())
            loss = loss + 2 * even_loss(told, again[again >= 0])
        return loss

    def _pointed(self, batch: Packed, placeholders: torch.Tensor) -> torch.Tensor:
        # Behind each cell's labels the number of its frame.
        cells = torch.cat([batch.cells, batch.earlier[:, :1].float()], dim=1)
        labels = cells.new_zeros(*batch.ids.shape, cells.shape[1])
        labels[placeholders] = cells
        rows, columns, shape, colour = batch.names.T
        there = labels[rows]  # (N, L, columns)
        named = (
            (there[..., 0] > 0)
            & ((there[..., 0] == shape[:, None]) | (shape[:, None] == 0))
            & ((there[..., 1] == colour[:, None]) | (colour[:, None] == 0))
        )
        exists = named.any(1)
        counted = self._counted(rows, columns, named, there)
        if not exists.any():
            return counted
        rows, columns, named, there = (
            values[exists] for values in (rows, columns, named, there)
        )
        scores = _scores(self._attention[0].noted, HEAD)
        loss = _missed(scores[rows, columns], named)
        return loss + counted + self._known(rows, columns, named, there)

    def _counted(
        self,
        rows: torch.Tensor,
        columns: torch.Tensor,
        named: torch.Tensor,
        there: torch.Tensor,
    ) -> torch.Tensor:
        """How many figures each word names, where only one picture is shown."""
        alone = there[..., -1].amax(1) == 0
        if not alone.any():
            return there.new_zeros(())
        ranks = there[alone][..., 10]
        number = sum(
            ((ranks == rank) & named[alone]).any(1).long() for rank in range(1, COUNTED)
        )
        read = self._read[1][rows[alone], columns[alone]].float()
        return functional.cross_entropy(self.counting(read), number)

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
        kinds = [cells[:, column].long() for column in (0, 1, 10)]
        read = self._read[1][rows[single], columns[single]].float()
        told = self.knowing(read).split(KNOWN, dim=-1)
        known = 0.4 * _summed(told, [*kinds, *_steps(cells[:, 6:10])])
        numbers = there[..., -1].masked_fill(~named, 0).amax(1)
        lowest = there[..., -1].masked_fill(~named, 99).amin(1)
        one = single & (numbers == lowest)  # of one frame only
        if not one.any():
            return known
        early = self.placing(self._read[1][rows[one], columns[one]].float())
        return known + functional.cross_entropy(early, numbers[one].long())


def _scores(
    noted: tuple[torch.Tensor, torch.Tensor, torch.Tensor], head: int
) -> torch.Tensor:
    """What a head's softmax gets (B, L, L)."""
    query, key, mask = noted
    head = min(head, query.shape[1] - 1)
    shared = head // (query.shape[1] // key.shape[1])
    products = query[:, head].float() @ key[:, shared].float().mT
    return products * query.shape[-1] ** -0.5 + mask[:, 0]


def _missed(scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """How little of the attention (N, L) goes to where it is wanted."""
    far = scores.masked_fill(~wanted, -1e9)
    return (scores.logsumexp(-1) - far.logsumexp(-1)).mean()


def _steps(boxes: torch.Tensor) -> list[torch.Tensor]:
    """Each edge of boxes (N, 4) from -1 to 1 as answers tell it, in steps."""
    return [*((boxes + 1) * 0.5 * STEPS).round().long().T]


def _summed(
    told: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]
) -> torch.Tensor:
    """The sum of the cross entropies of several answers."""
    losses = [
        functional.cross_entropy(logits, labels)
        for logits, labels in zip(told, wanted, strict=True)
    ]
    return torch.stack(losses).sum()
