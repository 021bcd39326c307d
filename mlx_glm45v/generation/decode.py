"""Token after token, the next one computed while the last one is read.

Knows the model's step and the cache. Does not know text, ends or budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.forward import last_logits
from mlx_glm45v.generation.sampling import Chooser

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

# Freed buffers are given back this often; keys and values grow in steps of it.
_TIDY_EVERY = 256


class Decoder:
    """Reads tokens from the model one step behind its computation.

    A token that has been read has also been fed, unless it was asked not to: the cache
    holds it, and the token after it has been chosen but stands nowhere. Dropping that
    one is free.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        cache: PromptCache,
        choose: Chooser,
        logits: mx.array,
        *,
        rope_length: int,
    ) -> None:
        """`logits` (1, vocab_size) are those of the last token in `cache`."""
        self._model = model
        self._cache = cache
        self._choose = choose
        self._rope_length = rope_length
        self._next = choose(logits)
        mx.async_eval(self._next)

    def read(self, *, last: bool = False) -> int:
        """The next token; the one after it is on its way, unless this is the last."""
        current = self._next
        if not last:
            self._feed(current)
        token = current.item()
        assert isinstance(token, int)
        if not last:
            self._cache.advance([token])
            if len(self._cache) % _TIDY_EVERY == 0:
                mx.clear_cache()
        return token

    def force(self, tokens: Sequence[int]) -> None:
        """Feeds `tokens` as if they had been chosen, in place of the one on its way."""
        self._feed(mx.array(list(tokens), dtype=mx.int32))
        self._cache.advance(tokens)

    def _feed(self, ids: mx.array) -> None:
        logits = last_logits(
            self._model,
            self._cache.layers,
            self._model.embed_inputs(ids[None]),
            rope_deltas=self._cache.rope_delta,
            rope_length=self._rope_length,
        )
        self._choose.saw(ids)
        self._next = self._choose(logits)
        mx.async_eval(self._next)
