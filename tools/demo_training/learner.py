"""The new demo's training loop: model, optimizer, averaged weights, where it stands.

Knows how a step is taken, saved and resumed. Does not know drawings or the formats of
checkpoints that others read.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from demo_training.course import SEEING, Packed
from demo_training.faster import arrange
from demo_training.muon import Muon
from demo_training.schedule import Schedule
from demo_training.showing import END
from torch import distributed, nn
from torch.nn import functional
from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mlx_glm45v.demo.scenes import COLOURS, SHAPES

# shape, colour, place, movement, box, rank, word, next word; see `showing.COLUMNS`
NAMING = (len(SHAPES) + 1, len(COLOURS) + 1, 2, 2, 4, 5, END, END + 1)
WORDS_WEIGHT = 1.0
NAMING_WEIGHT = 0.3
SECOND_WARMUP = 150
# Tables and the router's scores are no maps between widths: AdamW learns them.
NO_MATRICES = (
    "embed_tokens.weight",
    "lm_head.weight",
    "position_embedding.weight",
    "mlp.gate.weight",
)


class Losses(NamedTuple):
    """Of the words, and of naming what each cell of the pictures shows."""

    words: float
    naming: float


class Learner:
    """A model in training, alone or as one of several equal workers.

    The vision tower learns from more than the words: heads that are thrown away
    afterwards name what each cell shows (figure, box, word and next word), and one
    reads off the decoder what a video shows by each time text. In the first `SEEING`
    steps the tower learns alone. Forward and backward run in bfloat16 where torch finds
    that safe, weights stay float32.
    """

    def __init__(
        self, config: Glm4vMoeConfig, *, schedule: Schedule, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.model = Glm4vMoeForConditionalGeneration._from_config(
            config, dtype=torch.float32, attn_implementation="sdpa"
        )
        arrange(self.model)
        width = config.vision_config.out_hidden_size
        self.naming = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, sum(NAMING))
        )
        self.tracking = nn.Linear(config.text_config.hidden_size, 6)
        self.schedule = schedule
        self.step = 0
        self.workers = (
            distributed.get_world_size() if distributed.is_initialized() else 1
        )
        parts = (self.model, self.naming, self.tracking)
        self.parameters = [p for part in parts for p in part.parameters()]
        matrices = [
            parameter
            for name, parameter in self.model.named_parameters()
            if parameter.ndim >= 2 and not name.endswith(NO_MATRICES)
        ]
        known = {id(parameter) for parameter in matrices}
        others = [p for p in self.parameters if id(p) not in known]
        self.optimizers = (
            Muon(
                matrices,
                lr=schedule.peak,
                rank=distributed.get_rank() if self.workers > 1 else 0,
                workers=self.workers,
            ),
            torch.optim.AdamW(
                others, lr=schedule.peak, betas=(0.9, 0.98), weight_decay=0.0
            ),
        )
        self.average = {
            name: value.detach().clone()
            for name, value in self.model.state_dict().items()
        }
        self._read: list[torch.Tensor] = []
        decoder = self.model.model.language_model.layers
        decoder[-2].register_forward_hook(self._note_reading)
        self._seen: list[torch.Tensor] = []
        self.model.model.visual.register_forward_hook(self._note_features)
        self._chosen: list[tuple[nn.Module, torch.Tensor]] = []
        for module in self.model.modules():
            if hasattr(module, "e_score_correction_bias"):
                module.register_forward_hook(self._note_choice)
                module.forward = _in_float32(module.forward)

    def _note_choice(self, router: nn.Module, _inputs: object, outputs: tuple) -> None:
        self._chosen.append((router, outputs[2]))

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
        self._seen.clear()
        told = self.naming(seen.float()).split(NAMING, dim=-1)
        shape, colour, place, move, box, rank, word, following = told
        cells = batch.cells
        covered = cells[:, 0] > 0
        begins = cells[:, 11] > 0
        loss = (
            _even_loss(shape, cells[:, 0].long())
            + _even_loss(colour, cells[:, 1].long())
            + functional.mse_loss(place, cells[:, 2:4])
            + _even_loss(rank, cells[:, 10].long())
            + _even_loss(word, cells[:, 11].long())
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
        self._read.clear()
        if not len(batch.marks):
            return read.new_zeros(())
        rows, columns = batch.marks[:, 0].long(), batch.marks[:, 1].long()
        told = self.tracking(read[rows, columns].float())
        return functional.mse_loss(told, batch.marks[:, 2:])

    def hidden(self, batch: Packed) -> torch.Tensor:
        """Last hidden states (B, L, D)."""
        return self.model.model(
            input_ids=batch.ids,
            attention_mask=batch.mask(),
            pixel_values=batch.pixel_values,
            image_grid_thw=batch.grid_thw,
            position_ids=batch.positions,
            use_cache=False,
        ).last_hidden_state

    def loss(self, batch: Packed) -> torch.Tensor:
        """Mean cross entropy over the tokens that the model has to say."""
        says = batch.targets != -100
        logits = self.model.lm_head(self.hidden(batch)[says])
        return functional.cross_entropy(logits.float(), batch.targets[says])

    def take_step(self, batch: Packed) -> Losses:
        """One update; returns the losses before it."""
        rate = self.rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
        self._seen.clear()
        self._read.clear()
        self._chosen.clear()
        with torch.autocast("cpu", torch.bfloat16):
            if self.step < SEEING:
                self.model.model.visual(batch.pixel_values, grid_thw=batch.grid_thw)
                named, loss = self.naming_loss(batch), torch.zeros(())
                total = named
            else:
                loss = self.loss(batch)
                named = self.naming_loss(batch)
                total = (
                    WORDS_WEIGHT * loss
                    + NAMING_WEIGHT * named
                    + 2 * self.tracking_loss(batch)
                )
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self._balance(rate / self.schedule.peak)
        self.step += 1
        self._update_average()
        return Losses(loss.item(), named.item())

    def rate(self) -> float:
        """The learning rate of the next step; it warms up again when words come."""
        rate = self.schedule.rate(self.step)
        if self.step >= SEEING:
            rate *= min(1.0, (self.step - SEEING + 1) / SECOND_WARMUP)
        return rate

    @torch.no_grad()
    def right(self, batch: Packed) -> list[float]:
        """For each conversation of the batch the share of its tokens that it would say.

        Said greedily a conversation is right word for word when its share is 1.
        """
        with torch.autocast("cpu", torch.bfloat16):
            says = batch.targets != -100
            told = self.model.lm_head(self.hidden(batch)[says]).argmax(-1)
        self._seen.clear()
        self._read.clear()
        self._chosen.clear()
        hits = (told == batch.targets[says]).float()
        rows = torch.nonzero(says)[:, 0] * 100 + batch.branches[says]
        return [hits[rows == row].mean().item() for row in rows.unique()]

    @torch.no_grad()
    def _share_gradients(self) -> None:
        """Replace each gradient by its mean over the workers, in one exchange."""
        if self.workers == 1:
            return
        # Every worker must send all, though its batch may have said nothing of a part.
        grads = []
        for parameter in self._learning():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            grads.append(parameter.grad)
        flat = torch.cat([grad.flatten() for grad in grads])
        distributed.all_reduce(flat)
        flat /= self.workers
        parts = flat.split([grad.numel() for grad in grads])
        for grad, shared in zip(grads, parts, strict=True):
            grad.copy_(shared.view_as(grad))

    def _learning(self) -> list[nn.Parameter]:
        """The parameters that this step changes."""
        if self.step >= SEEING:
            return self.parameters
        return [*self.model.model.visual.parameters(), *self.naming.parameters()]

    @torch.no_grad()
    def _balance(self, part: float) -> None:
        """Raise the correction bias of experts that are chosen too rarely (DeepSeek-V3,
        section 2.1.2)."""
        if not self._chosen:
            return
        routers = [router for router, _ in self._chosen]
        loads = torch.stack(
            [
                torch.bincount(choice.flatten(), minlength=len(router.weight)).float()
                for router, choice in self._chosen
            ]
        )
        if self.workers > 1:
            distributed.all_reduce(loads)
        for router, load in zip(routers, loads, strict=True):
            router.e_score_correction_bias += (
                1e-3 * part * torch.sign(load.mean() - load)
            )
        self._chosen.clear()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(0.998, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        torch._foreach_lerp_(
            list(self.average.values()),
            [state[name] for name in self.average],
            1 - keep,
        )

    def save(self, path: Path) -> None:
        """Write all that a resumed run needs; the file is never half written."""
        draft = path.with_suffix(".tmp")
        torch.save(
            {
                "model": self.model.state_dict(),
                "naming": self.naming.state_dict(),
                "tracking": self.tracking.state_dict(),
                "average": self.average,
                "optimizers": [one.state_dict() for one in self.optimizers],
                "step": self.step,
            },
            draft,
        )
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Stand where the run that wrote `path` stood."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.naming.load_state_dict(state["naming"])
        self.tracking.load_state_dict(state["tracking"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = state["step"]


def _even_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy in which the few cells that show something weigh as all others."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    something = labels > 0
    return 0.5 * sum(
        (losses * part).sum() / part.sum().clamp(min=1)
        for part in (something, ~something)
    )


def _in_float32(forward):
    """The router's choice is made in float32."""

    def unlowered(hidden: torch.Tensor):
        with torch.autocast("cpu", enabled=False):
            return forward(hidden.float())

    return unlowered
