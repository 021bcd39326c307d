"""The routed experts of a layer whose weights are partly in memory.

Takes the place of `Glm4vMoeTextExperts` and gives the same numbers, to the bit where a
product does not depend on how many rows go with it (as on the CPU backend). Knows how
to compute with slots, in one go where the chosen experts fit, else in passes.
"""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from .bank import Bank
from .passes import plan_pass
from .store import ExpertStore


class StreamedExperts(nn.Module):
    """`bank` holds this layer's experts, `store` knows what is under way in all."""

    def __init__(self, bank: Bank, store: ExpertStore, *, layer: int) -> None:
        super().__init__()
        self._bank, self._store, self._layer = bank, store, layer

    def __call__(self, x: mx.array, indices: mx.array) -> mx.array:
        """(..., hidden) and indices (..., top_k) -> (..., top_k, hidden).

        Evaluates its inputs; the result is on its way when this returns. Raises
        `CheckpointError` when experts cannot be read.
        """
        with self._store.at_work():
            self._store.catch_up(indices)
            ids = np.array(indices).reshape(-1)
            chosen = np.unique(ids).tolist()
            if indices.shape[-2] == 1:  # an answer's token, of each row of a batch
                for row in ids.reshape(-1, indices.shape[-1]):
                    self._store.profile.add(self._layer, sorted(row.tolist()))
            if len(chosen) <= self._bank.slots:
                out = self._at_once(x, indices.shape, ids, chosen)
            else:
                out = self._in_passes(x, indices.shape, ids, chosen)
            self._store.leave(out)
            return out

    def _at_once(
        self, x: mx.array, shape: tuple[int, ...], ids: np.ndarray, chosen: list[int]
    ) -> mx.array:
        self._bring(chosen, keep=chosen)
        return self._bank.experts(x, mx.array(self._slots(ids).reshape(shape)))

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
                waiting, present=self._bank.table, before=before, slots=self._bank.slots
            )
            if len(outs) > 1:
                mx.eval(outs[-2])
            if wait_first and outs:
                mx.eval(outs[-1])
                before = []
            self._bring(now, keep=[*before, *now])
            now.sort(key=self._bank.table.slot_of.__getitem__)
            own = np.concatenate([places[expert] for expert in now])
            slots = mx.array(self._slots(ids[own]))
            tokens = rows[mx.array((own // shape[-1]).astype(np.uint32))]
            outs.append(self._bank.experts.in_order(tokens, slots))
            mx.async_eval(outs[-1])
            taken.append(own)
            waiting = [expert for expert in waiting if expert not in set(now)]
            before = now
        back = np.argsort(np.concatenate(taken)).astype(np.uint32)
        return mx.concatenate(outs)[mx.array(back)].reshape(*shape, -1)

    def _bring(self, experts: list[int], *, keep: list[int]) -> None:
        self._store.count(
            chosen=len(experts), read=self._bank.bring(experts, keep=keep)
        )
        self._bank.table.touch(experts)

    def _slots(self, ids: np.ndarray) -> np.ndarray:
        return np.array(self._bank.table.slot_of)[ids].astype(np.uint32)
