"""The demo's training loop: model, optimizer, averaged weights, where it stands.

Knows how a step is taken, saved and resumed. Does not know drawings or the formats of
checkpoints that others read.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from demo_training.course import SEEING, Packed
from demo_training.faster import arrange
from demo_training.hints import Hints
from demo_training.muon import Muon
from demo_training.pointing import Pointing
from demo_training.schedule import Schedule
from demo_training.tokens import OtherTokenizerError
from torch import distributed, nn
from torch.nn import functional
from transformers import Glm4vMoeConfig, Glm4vMoeForConditionalGeneration

WORDS_WEIGHT = 1.0
NAMING_WEIGHT = 0.5
POINTING_WEIGHT = 0.4
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

    It learns from more than the words, see `hints`; in the first `SEEING` steps the
    vision tower learns alone. Forward and backward run in bfloat16 where torch finds
    that safe, weights stay float32. `tokenizer` is the digest of the one whose ids it
    learns (see `tokens`).
    """

    def __init__(
        self, config: Glm4vMoeConfig, *, schedule: Schedule, seed: int, tokenizer: str
    ) -> None:
        torch.manual_seed(seed)
        self.model = Glm4vMoeForConditionalGeneration._from_config(
            config, dtype=torch.float32, attn_implementation="sdpa"
        )
        arrange(self.model)
        self.hints = Hints(self.model)
        self.pointing = Pointing(self.model)
        self.schedule = schedule
        self.tokenizer = tokenizer
        self.step = 0
        self.workers = (
            distributed.get_world_size() if distributed.is_initialized() else 1
        )
        self.parameters = [
            *self.model.parameters(),
            *self.hints.parameters(),
            *self.pointing.parameters(),
        ]
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
        self._chosen: list[tuple[nn.Module, torch.Tensor]] = []
        for module in self.model.modules():
            if hasattr(module, "e_score_correction_bias"):
                module.register_forward_hook(self._note_choice)
                module.forward = _in_float32(module.forward)

    def _note_choice(self, router: nn.Module, _inputs: object, outputs: tuple) -> None:
        self._chosen.append((router, outputs[2]))

    def hidden(self, batch: Packed) -> torch.Tensor:
        """Last hidden states (B, L, D)."""
        shown = len(batch.grid_thw) > 0
        return self.model.model(
            input_ids=batch.ids,
            attention_mask=batch.mask(),
            pixel_values=batch.pixel_values if shown else None,
            image_grid_thw=batch.grid_thw if shown else None,
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
        self.hints.forget()
        self.pointing.forget()
        self._chosen.clear()
        with torch.autocast("cpu", torch.bfloat16):
            if self.step < SEEING:
                self.model.model.visual(batch.pixel_values, grid_thw=batch.grid_thw)
                named, loss = self.hints.naming_loss(batch), torch.zeros(())
                total = named
            else:
                loss = self.loss(batch)
                named = self.hints.naming_loss(batch)
                total = (
                    WORDS_WEIGHT * loss
                    + NAMING_WEIGHT * named
                    + 2 * self.hints.tracking_loss(batch)
                    + POINTING_WEIGHT * self.pointing.loss(batch)
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
        self.hints.forget()
        self.pointing.forget()
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
        return [*self.model.model.visual.parameters(), *self.hints.naming.parameters()]

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
                "hints": self.hints.state_dict(),
                "pointing": self.pointing.state_dict(),
                "average": self.average,
                "optimizers": [one.state_dict() for one in self.optimizers],
                "step": self.step,
                "tokenizer": self.tokenizer,
            },
            draft,
        )
        draft.replace(path)

    def resume(self, path: Path) -> None:
        """Stand where the run that wrote `path` stood.

        Raises OtherTokenizerError where that run learned other ids.
        """
        state = torch.load(path, weights_only=True)
        # The first runs did not write down their tokenizer.
        if state.get("tokenizer", self.tokenizer) != self.tokenizer:
            raise OtherTokenizerError(
                f"{path} was learned with another tokenizer than the one beside it"
            )
        self.model.load_state_dict(state["model"])
        self.hints.load_state_dict(state["hints"])
        self.pointing.load_state_dict(state["pointing"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step = state["step"]


def _in_float32(forward):
    """The router's choice is made in float32."""

    def unlowered(hidden: torch.Tensor):
        with torch.autocast("cpu", enabled=False):
            return forward(hidden.float())

    return unlowered
