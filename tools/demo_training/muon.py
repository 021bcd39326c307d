"""Muon: momentum whose matrices are made nearly orthogonal before they are applied.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024);
the scale that lets it share AdamW's learning rate is that of Liu et al., "Muon is
scalable for LLM training" (2025). Knows matrices. Does not know the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import distributed

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices (N, rows, columns) with singular values near one, by Newton-Schulz."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        product = x @ x.mT
        x = a * x + (b * product + c * (product @ product)) @ x
    return (x.mT if tall else x).to(matrices.dtype)


def as_matrices(parameter: torch.Tensor) -> torch.Tensor:
    """(N, rows, columns): experts one by one, kernels of convolutions flat."""
    if parameter.ndim == 3:
        return parameter
    return parameter.flatten(1)[None]


class Muon(torch.optim.Optimizer):
    """Updates matrices; equal workers each make a part of them and share the rest."""

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.02,
        rank: int = 0,
        workers: int = 1,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        self._rank, self._workers = rank, workers

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One update of all parameters that have gradients."""
        assert closure is None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            updates = self._updates(parameters, group["momentum"])
            if self._workers > 1:
                flat = torch.cat([update.flatten() for update in updates])
                distributed.all_reduce(flat)
                parts = flat.split([update.numel() for update in updates])
                updates = [
                    part.view_as(update)
                    for part, update in zip(parts, updates, strict=True)
                ]
            for parameter, update in zip(parameters, updates, strict=True):
                scale = 0.2 * max(update.shape[-2:]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * scale)

    def _updates(
        self, parameters: list[torch.nn.Parameter], momentum: float
    ) -> list[torch.Tensor]:
        """Updates (N, rows, columns), zero where another worker makes them."""
        sources, shapes = [], {}
        for index, parameter in enumerate(parameters):
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - momentum)
            source = as_matrices(parameter.grad.lerp(state["momentum"], momentum))
            sources.append(source)
            shapes.setdefault(tuple(source.shape[-2:]), []).append(index)
        updates = [torch.zeros_like(source) for source in sources]
        for indices in shapes.values():
            together = torch.cat([sources[index] for index in indices])
            count = len(together)
            mine = slice(
                count * self._rank // self._workers,
                count * (self._rank + 1) // self._workers,
            )
            made = torch.zeros_like(together)
            if mine.stop > mine.start:
                made[mine] = orthogonalised(together[mine])
            sizes = [len(sources[index]) for index in indices]
            for index, part in zip(indices, made.split(sizes), strict=True):
                updates[index] = part
        return updates
