"""The routed experts of a layer whose weights are partly in memory.

Takes the place of `Glm4vMoeTextExperts` and gives the same numbers. Knows how to
compute with slots, in one go where the chosen experts fit and in passes where not.
"""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from .bank import Bank
from .passes import plan_pass
from .store import ExpertStore

Guess = Callable[[mx.array], mx.array]


class StreamedExperts(nn.Module):
    """`bank` holds this layer's experts, `store` all layers' and what is under way.

    `guess` tells from this layer's input which experts the next one, whose bank is
    `next_bank`, will probably choose; without it nothing is read ahead.
    """

    def __init__(self, bank: Bank, store: ExpertStore, *, layer: int) -> None:
        super().__init__()
        self.bank, self._store, self._layer = bank, store, layer
        self._guess: Guess | None = None
        self._next_bank: Bank | None = None

    def read_ahead(self, guess: Guess, next_bank: Bank) -> None:
        """From now on start to read what the next layer will probably choose."""
        self._guess, self._next_bank = guess, next_bank

    def __call__(self, x: mx.array, indices: mx.array) -> mx.array:
        """(..., hidden) and indices (..., top_k) -> (..., top_k, hidden).

        Evaluates its inputs; the result is on its way when this returns. Raises
        `CheckpointError` when experts cannot be read.
        """
        with self._store.at_work():
            few = self._guess is not None and indices.size <= self.bank.slots // 2
            guessed = self._guess(x) if few and self._guess is not None else None
            self._store.catch_up(indices, guessed)
            ids = np.array(indices).reshape(-1)
            chosen = np.unique(ids).tolist()
            self._store.count(chosen=len(chosen))
            if ids.size == indices.shape[-1]:
                self._store.profile.add(self._layer, chosen)
            if len(chosen) <= self.bank.slots:
                out = self._at_once(x, indices.shape, ids, chosen)
            else:
                out = self._in_passes(x, indices.shape, ids, chosen)
            self._store.leave(out)
            if guessed is not None and self._next_bank is not None:
                ahead = np.unique(np.array(guessed)).tolist()
                self._store.count(ahead=self._next_bank.expect(ahead))
            return out

    def _at_once(
        self, x: mx.array, shape: tuple[int, ...], ids: np.ndarray, chosen: list[int]
    ) -> mx.array:
        self._bring(chosen, keep=chosen)
        return self.bank.experts(x, mx.array(self._slots(ids).reshape(shape)))

    def _in_passes(
        self, x: mx.array, shape: tuple[int, ...], ids: np.ndarray, chosen: list[int]
    ) -> mx.array:
        """Expert by expert: those in memory first, then each of the others once.

        While one pass is computed the next one's experts are read into slots that it
        does not use.
        """
        rows = x.reshape(-1, 1, x.shape[-1])
        order = np.argsort(ids, kind="stable")
        edges = np.searchsorted(ids[order], [*chosen, chosen[-1] + 1])
        places = {
            expert: order[edges[i] : edges[i + 1]] for i, expert in enumerate(chosen)
        }
        outs: list[mx.array] = []
        taken: list[np.ndarray] = []
        waiting = list(chosen)
        before: list[int] = []
        while waiting:
            now, wait_first = plan_pass(
                waiting, present=self.bank.table, before=before, slots=self.bank.slots
            )
            if len(outs) > 1:
                mx.eval(outs[-2])
            if wait_first and outs:
                mx.eval(outs[-1])
                before = []
            self._bring(now, keep=[*before, *now])
            now.sort(key=self.bank.table.slot_of.__getitem__)
            own = np.concatenate([places[expert] for expert in now])
            slots = mx.array(self._slots(ids[own]))
            tokens = rows[mx.array((own // shape[-1]).astype(np.uint32))]
            outs.append(self.bank.experts.in_order(tokens, slots))
            mx.async_eval(outs[-1])
            taken.append(own)
            waiting = [expert for expert in waiting if expert not in set(now)]
            before = now
        back = np.argsort(np.concatenate(taken)).astype(np.uint32)
        return mx.concatenate(outs)[mx.array(back)].reshape(*shape, -1)

    def _bring(self, experts: list[int], *, keep: list[int]) -> None:
        missing = self.bank.missing(experts)
        self._store.count(read=len(missing))
        if missing:
            self.bank.bring(missing, keep=keep)
        self.bank.table.touch(experts)

    def _slots(self, ids: np.ndarray) -> np.ndarray:
        return np.array(self.bank.table.slot_of)[ids].astype(np.uint32)
