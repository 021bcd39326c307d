"""Several answers decoded together, one token of each at a time.

Knows the model's step, caches of batches padded left, and rows. Does not know text,
ends or budgets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import mlx.core as mx
from mlx_lm.models.cache import BatchKVCache, KVCache, QuantizedKVCache

from mlx_glm45v.generation.batch_cache import BatchQuantizedKVCache
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.forward import last_logits
from mlx_glm45v.generation.sampling import Chooser
from mlx_glm45v.model.outputs import Cache

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

# Freed buffers are given back this often; keys and values grow in steps of it.
_TIDY_EVERY = 256


class BatchDecoder:
    """Reads a token of each row from the model, one step behind its computation.

    Rows join with what a prompt's cache holds, copied, and leave in any order; the
    others keep theirs. A row takes as much memory as the longest. All rows are of one
    rotary regime and one precision of keys and values.
    """

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        self._model = model
        self._steps = 0
        self._clear()

    def __len__(self) -> int:
        return len(self._choosers)

    def _clear(self) -> None:
        self._layers: Cache = []
        self._deltas = mx.zeros((0,), dtype=mx.int32)
        self._next = mx.zeros((0,), dtype=mx.uint32)
        self._choosers: list[Chooser] = []
        self._forced: list[deque[int]] = []
        self._rope_length = 0

    def add(
        self,
        cache: PromptCache,
        choose: Chooser,
        logits: mx.array,
        *,
        rope_length: int,
    ) -> None:
        """One more row; `logits` (1, vocab_size) are of the last token in `cache`."""
        if not self._layers:
            self._layers = [_batch_of(layer) for layer in cache.layers]
        else:
            for mine, layer in zip(self._layers, cache.layers, strict=True):
                mine.extend(_batch_of(layer))
                # The memory of one layer is needed twice, not of all.
                mx.eval(mine.state)
        delta = mx.array([cache.rope_delta], dtype=mx.int32)
        self._deltas = mx.concatenate([self._deltas, delta])
        first = choose(logits).astype(mx.uint32)
        self._next = mx.concatenate([self._next, first])
        self._choosers.append(choose)
        self._forced.append(deque())
        self._rope_length = max(self._rope_length, rope_length)
        mx.async_eval(self._next)

    def keep(self, rows: Sequence[int]) -> None:
        """Lets all rows go but these, which from now on are numbered in this order."""
        if not rows:
            self._clear()
            return
        chosen = mx.array(list(rows))
        for layer in self._layers:
            layer.filter(chosen)
            mx.eval(layer.state)
        self._deltas, self._next = self._deltas[chosen], self._next[chosen]
        self._choosers = [self._choosers[row] for row in rows]
        self._forced = [self._forced[row] for row in rows]

    def force(self, row: int, tokens: Sequence[int]) -> None:
        """Has `row` take `tokens`, a step each, in place of the one on its way."""
        self._forced[row].extend(tokens)

    def read(self, *, last: bool = False) -> list[int | None]:
        """The next token of each row, None where it takes a forced one.

        The tokens after them are on their way. `last` tells that no row wants one; rows
        with tokens to be forced do.
        """
        given = [waiting.popleft() if waiting else None for waiting in self._forced]
        current = self._next
        forcing = any(token is not None for token in given)
        if forcing:
            is_given = mx.array([token is not None for token in given])
            tokens = mx.array([token or 0 for token in given], dtype=mx.uint32)
            current = mx.where(is_given, tokens, current)
        if forcing or not last:
            self._feed(current)
        read = cast("list[int]", current.tolist())
        self._steps += 1
        if self._steps % _TIDY_EVERY == 0:
            mx.clear_cache()
        return [
            token if forced is None else None
            for token, forced in zip(read, given, strict=True)
        ]

    def _feed(self, ids: mx.array) -> None:
        logits = last_logits(
            self._model,
            self._layers,
            self._model.embed_inputs(ids[:, None]),
            rope_deltas=self._deltas,
            rope_length=self._rope_length,
        )
        # All layers have taken in the same; counts that nobody asks for would wait as
        # a chain that grows with each token.
        for layer in self._layers:
            layer.offset = self._layers[0].offset
        self._next = self._choose(ids, logits)
        mx.async_eval(self._next)

    def _choose(self, ids: mx.array, logits: mx.array) -> mx.array:
        """The token of each row (B,) after `ids` (B,), from logits (B, vocab_size)."""
        if all(choose.takes_likeliest for choose in self._choosers):
            return mx.argmax(logits, axis=-1)
        chosen = []
        for row, choose in enumerate(self._choosers):
            choose.saw(ids[row : row + 1])
            # A draw for a token that is not taken would change those that follow.
            token = (
                ids[row : row + 1]
                if self._forced[row]
                else choose(logits[row : row + 1]).astype(mx.uint32)
            )
            chosen.append(token)
        return mx.concatenate(chosen)


def _batch_of(
    layer: KVCache | QuantizedKVCache,
) -> BatchKVCache | BatchQuantizedKVCache:
    """A batch of one row, a copy."""
    if isinstance(layer, QuantizedKVCache):
        return BatchQuantizedKVCache(layer)
    return BatchKVCache.merge([layer])
