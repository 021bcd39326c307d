"""What the model is told while it learns beyond the words: heads thrown away later.

Knows where features and readings come out of the model, and the labels of a batch. Does
not know how a step is taken.
"""

from __future__ import annotations

import torch
from demo_training.course import Packed
from demo_training.showing import END
from torch import nn
from torch.nn import functional
from transformers import Glm4vMoeForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mlx_glm45v.demo.scenes import COLOURS, SHAPES

# shape, colour, place, movement, box, rank, word, next word; see `showing.COLUMNS`
NAMING = (len(SHAPES) + 1, len(COLOURS) + 1, 2, 2, 4, 5, END, END + 1)


class Hints(nn.Module):
    """Two heads and what they read off the model's last forward.

    `naming` says what each cell shows from the vision tower's features; `tracking` what
    a video shows by each time text, from the last but one layer of the decoder.
    """

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        super().__init__()
        width = model.config.vision_config.out_hidden_size
        self.naming = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, sum(NAMING))
        )
        self.tracking = nn.Linear(model.config.text_config.hidden_size, 6)
        self._seen: list[torch.Tensor] = []
        self._read: list[torch.Tensor] = []
        model.model.visual.register_forward_hook(self._note_features)
        decoder = model.model.language_model.layers
        decoder[-2].register_forward_hook(self._note_reading)

    def forget(self) -> None:
        """Before and after each forward of the model."""
        self._seen.clear()
        self._read.clear()

    def _note_features(
        self, _tower: nn.Module, _inputs: object, outputs: BaseModelOutputWithPooling
    ) -> None:
        assert outputs.pooler_output is not None
        self._seen.append(outputs.pooler_output)

    def _note_reading(
        self, _layer: nn.Module, _inputs: object, outputs: torch.Tensor
    ) -> None:
        self._read.append(outputs)

    def naming_loss(self, batch: Packed) -> torch.Tensor:
        """How badly the features of the last forward name what each cell shows."""
        (seen,) = self._seen
        told = self.naming(seen.float()).split(NAMING, dim=-1)
        shape, colour, place, move, box, rank, word, following = told
        cells = batch.cells
        covered = cells[:, 0] > 0
        begins = cells[:, 11] > 0
        loss = (
            even_loss(shape, cells[:, 0].long())
            + even_loss(colour, cells[:, 1].long())
            + functional.mse_loss(place, cells[:, 2:4])
            + even_loss(rank, cells[:, 10].long())
            + even_loss(word, cells[:, 11].long())
        )
        if covered.any():
            loss = loss + 2 * functional.mse_loss(move[covered], cells[covered, 4:6])
            loss = loss + 4 * functional.smooth_l1_loss(
                box[covered], cells[covered, 6:10], beta=0.1
            )
        if begins.any():
            loss = loss + 0.5 * functional.cross_entropy(
                following[begins], cells[begins, 12].long()
            )
        return loss

    def tracking_loss(self, batch: Packed) -> torch.Tensor:
        """How badly the last but one layer knows at time texts what is there."""
        (read,) = self._read
        if not len(batch.marks):
            return read.new_zeros(())
        rows, columns = batch.marks[:, 0].long(), batch.marks[:, 1].long()
        told = self.tracking(read[rows, columns].float())
        return functional.mse_loss(told, batch.marks[:, 2:])


def even_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy in which the few cells that show something weigh as all others."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    something = labels > 0
    return 0.5 * sum(
        (losses * part).sum() / part.sum().clamp(min=1)
        for part in (something, ~something)
    )
