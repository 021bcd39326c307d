"""The training loop's state: model, optimizer, averaged weights, and where it stands.

Knows how a step is taken, saved and resumed. Does not know scenes or file formats of
checkpoints that others read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from demo_training.batches import FIRST_MOVES, Batch
from torch import distributed, nn
from torch.nn import functional
from transformers import (
    AttentionInterface,
    Glm4vMoeConfig,
    Glm4vMoeForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mlx_glm45v.demo.scenes import COLOURS, SHAPES

# Columns of the naming head: shape, colour, place, movement; see `demo_training.cells`.
NAMING = (len(SHAPES) + 1, len(COLOURS) + 1, 2, 2)


@dataclass(frozen=True)
class Schedule:
    """Warm up, stay, and fall along a cosine over the last part of the run.

    After `steps` follow the rounds of `polish`, so many steps each, which fall again
    from `polish_peak`.

    Until the fall begins nothing depends on `steps`, so a stopped run may be resumed
    with another number of them.
    """

    steps: int
    peak: float = 1.5e-3
    warmup: int = 200
    fall: float = 0.35
    polish: tuple[int, ...] = ()
    polish_peak: float = 8e-4

    def rate(self, step: int) -> float:
        """The learning rate of a step counted from 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        start = self.steps * (1 - self.fall)
        if step < start:
            return self.peak
        if step < self.steps:
            return self.peak * _fallen((step - start) / (self.steps - start))
        start = self.steps
        for more in self.polish:
            if step < start + more:
                return self.polish_peak * _fallen((step - start) / more)
            start += more
        return self.polish_peak * _fallen(1.0)

    @property
    def end(self) -> int:
        """Steps in all."""
        return self.steps + sum(self.polish)


def _fallen(part: float) -> float:
    """A cosine from 1 to a hundredth."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, part)))


class Losses(NamedTuple):
    """Of the words, and of naming what each cell of the pictures shows."""

    words: float
    naming: float


def side_by_side(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention within each of many equal pictures in one call: (1, heads, N, d) each.

    transformers attends picture by picture, which costs more than the attention itself.
    """
    del module, attention_mask
    count = len(cu_seq_lens_q) - 1
    heads, length, depth = query.shape[1], query.shape[2] // count, query.shape[3]
    assert (cu_seq_lens_q.diff() == length).all()

    def apart(rows: torch.Tensor) -> torch.Tensor:
        return rows.view(heads, count, length, depth).transpose(0, 1)

    seen = functional.scaled_dot_product_attention(
        apart(query), apart(key), apart(value), scale=scaling
    )
    return seen.transpose(1, 2).reshape(1, count * length, heads, depth), None


# The name makes transformers pass the pictures' bounds instead of cutting at them.
AttentionInterface.register("flash_side_by_side", side_by_side)


class Trainer:
    """A model in training, alone or as one of several equal workers.

    Workers (processes of a `torch.distributed` group) take the same steps on the mean
    of their gradients: on few busy cores that is faster than threads inside every
    operation.

    The vision tower learns from more than the words: a linear head that is thrown away
    afterwards names what each cell of the pictures shows. From the words alone it found
    the colours in 400 steps but no shapes and no directions in 2,600.

    Experts are kept in use as in DeepSeek-V3 (section 2.1.2 of its report): the
    router's correction bias of an expert that is chosen too rarely rises a little at
    every step.
    """

    def __init__(
        self, config: Glm4vMoeConfig, *, schedule: Schedule, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.model = Glm4vMoeForConditionalGeneration._from_config(
            config, dtype=torch.float32, attn_implementation="sdpa"
        )
        self.model.model.visual.config._attn_implementation = "flash_side_by_side"
        self.naming = nn.Linear(
            config.vision_config.out_hidden_size, sum(NAMING), dtype=torch.float32
        )
        self.tracking = nn.Linear(config.text_config.hidden_size, 4)
        self.schedule = schedule
        self.step = 0
        self.workers = (
            distributed.get_world_size() if distributed.is_initialized() else 1
        )
        self.parameters = [
            parameter
            for part in (self.model, self.naming, self.tracking)
            for parameter in part.parameters()
        ]
        decayed = [p for p in self.parameters if p.ndim >= 2]
        others = [p for p in self.parameters if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": 0.02},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=schedule.peak,
            betas=(0.9, 0.98),
            foreach=True,
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
        self._chosen: list[tuple[torch.nn.Module, torch.Tensor]] = []
        for module in self.model.modules():
            if hasattr(module, "e_score_correction_bias"):
                module.register_forward_hook(self._note_choice)

    def _note_choice(
        self, router: torch.nn.Module, _inputs: object, outputs: tuple
    ) -> None:
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

    def tracking_loss(self, batch: Batch) -> torch.Tensor:
        """How badly the last but one layer knows at time texts where the figure is."""
        (read,) = self._read
        self._read.clear()
        if not len(batch.marks):
            return read.new_zeros(())
        rows, columns = batch.marks[:, 0].long(), batch.marks[:, 1].long()
        told = self.tracking(read[rows, columns])
        return functional.mse_loss(told, batch.marks[:, 2:])

    def naming_loss(self, batch: Batch) -> torch.Tensor:
        """How badly the features of the last forward name what each cell shows."""
        (seen,) = self._seen
        self._seen.clear()
        shape, colour, place, move = self.naming(seen).split(NAMING, dim=-1)
        shapes, colours = batch.cells[:, 0].long(), batch.cells[:, 1].long()
        return (
            functional.cross_entropy(shape, shapes)
            + functional.cross_entropy(colour, colours)
            + functional.mse_loss(place, batch.cells[:, 2:4])
            + self._move_loss(move, batch.cells)
        )

    def _move_loss(self, told: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        if self.step < FIRST_MOVES:
            return functional.mse_loss(told, cells[:, 4:6])
        covered = cells[:, 0] > 0
        return 2 * functional.mse_loss(told[covered], cells[covered, 4:6])

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean cross entropy over the tokens that the model has to say."""
        hidden = self.model.model(
            input_ids=batch.ids,
            pixel_values=batch.pixel_values,
            image_grid_thw=batch.grid_thw,
            position_ids=batch.positions,
            use_cache=False,
        ).last_hidden_state
        says = batch.targets != -100
        logits = self.model.lm_head(hidden[says])
        return functional.cross_entropy(logits, batch.targets[says])

    def take_step(self, batch: Batch) -> Losses:
        """One update; returns the losses before it."""
        rate = self.schedule.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._seen.clear()
        self._read.clear()
        loss = self.loss(batch)
        named = self.naming_loss(batch) + 4 * self.tracking_loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        (loss + 0.5 * named).backward()
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self._balance(rate / self.schedule.peak)
        self.step += 1
        self._update_average()
        return Losses(loss.item(), named.item())

    @torch.no_grad()
    def _share_gradients(self) -> None:
        """Replace each gradient by its mean over the workers, in one exchange."""
        if self.workers == 1:
            return
        grads = []
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            grads.append(parameter.grad)
        flat = torch.cat([grad.flatten() for grad in grads])
        distributed.all_reduce(flat)
        flat /= self.workers
        for grad, shared in zip(
            grads, flat.split([g.numel() for g in grads]), strict=True
        ):
            grad.copy_(shared.view_as(grad))

    @torch.no_grad()
    def _balance(self, part: float) -> None:
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
        keep = min(0.997, (1 + self.step) / (10 + self.step))
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
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "random": torch.get_rng_state(),
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
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        torch.set_rng_state(state["random"])
