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

    A token that has been read has also been fed, unless it was asked not to or experts
    are streamed: the cache holds it, and the token after it has been chosen but stands
    nowhere. Dropping that one is free.
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
        self._waits = model.expert_source is not None
        self._waiting: int | None = None
        self._next = choose(logits)
        mx.async_eval(self._next)

    def read(self, *, last: bool = False) -> int:
        """The next token; the one after it is on its way, unless this is the last.

        Layers with streamed experts wait for what they read, so that running ahead
        would only keep this token back: there it is fed when the next one is asked for.
        """
        self._feed_waiting()
        current = self._next
        if not last and not self._waits:
            self._feed(current)
        token = current.item()
        assert isinstance(token, int)
        if not last and self._waits:
            self._waiting = token
        elif not last:
            self._advance([token])
        return token

    def force(self, tokens: Sequence[int]) -> None:
        """Feeds `tokens` as if they had been chosen, in place of the one on its way."""
        self._feed_waiting()
        self._feed(mx.array(list(tokens), dtype=mx.int32))
        self._advance(tokens)

    def _feed_waiting(self) -> None:
        token, self._waiting = self._waiting, None
        if token is not None:
            self._feed(mx.array([token], dtype=mx.int32))
            self._advance([token])

    def _advance(self, tokens: Sequence[int]) -> None:
        self._cache.advance(tokens)
        if len(self._cache) % _TIDY_EVERY == 0:
            mx.clear_cache()

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
