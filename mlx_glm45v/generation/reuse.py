"""What one request leaves for the next: conversations' caches and pictures' features.

Knows budgets and which cache fits a prompt best. Does not know how answers are made.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.generation import limits
from mlx_glm45v.generation.cache import AS_MADE, KVPrecision, PromptCache
from mlx_glm45v.generation.features import FeatureCache
from mlx_glm45v.generation.prefill import key_of
from mlx_glm45v.processing.prompt import Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

# By default conversations may take what one of so many tokens takes, and pictures so
# much (the memory planner says so, too).
KEPT_TOKENS = 32_768
KEPT_FEATURE_BYTES = 512 * 2**20


class GenerationCache:
    """Caches of several conversations over one model, the least recently used leaving.

    Conversations' keys and values share `kv_bytes` (default: what 32,768 tokens take,
    and at most half of what is free now); the one at work may exceed that alone.
    `features` has `feature_bytes`. Where a request finds too little memory free, the
    other conversations make room for it, then features. Belongs to the thread that runs
    the model. An answer that nobody reads ends whenever Python collects it, and may let
    conversations go in the middle of this.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        *,
        kv_bytes: int | None = None,
        feature_bytes: int = KEPT_FEATURE_BYTES,
    ) -> None:
        self._model = model
        if kv_bytes is None:
            usual = limits.kv_bytes(model.config.text_config, tokens=KEPT_TOKENS)
            kv_bytes = min(usual, limits.free_bytes() // 2)
        self._kv_bytes = kv_bytes
        self._conversations: list[PromptCache] = []  # the one used last at the end
        self.features = FeatureCache(feature_bytes)

    def __len__(self) -> int:
        return len(self._conversations)

    @property
    def nbytes(self) -> int:
        """Memory of all conversations' keys and values."""
        return sum(cache.nbytes for cache in tuple(self._conversations))

    def conversation(
        self,
        prompt: Prompt,
        *,
        rope_length: int,
        precision: KVPrecision = AS_MADE,
    ) -> PromptCache:
        """The cache that holds most of `prompt`'s start, or an empty one.

        A cache that would lose more than it keeps stays as it is, for its own
        conversation, and the common start is copied.
        """
        found = self._found(prompt, rope_length, precision)
        self._use(found)
        self.trim()
        self._make_room(prompt, rope_length - len(found))
        return found

    def _found(
        self, prompt: Prompt, rope_length: int, precision: KVPrecision
    ) -> PromptCache:
        best, kept = None, 0
        for cache in tuple(self._conversations):
            if cache.in_use or cache.precision != precision:
                continue
            count = cache.reusable(prompt, rope_length=rope_length)
            if count > kept:
                best, kept = cache, count
        if best is None:
            return PromptCache(self._model, precision)
        if len(best) - kept > kept:
            self._use(best)
            return best.forked(kept)
        return best

    def trim(self) -> None:
        """Let conversations go until the others are within the budget."""
        while self.nbytes > self._kv_bytes and self._forget_oldest():
            pass

    def _make_room(self, prompt: Prompt, tokens: int) -> None:
        """Let go of what is kept while memory lacks room for `tokens` more of the last.

        Conversations first: features are few bytes for the work of making them again,
        and those of `prompt` would be made again now.
        Buffers are given back at once: what waits for reuse is not free for others.
        """
        text = self._model.config.text_config
        needed = {key_of(span) for span in prompt.spans}
        while limits.missing_bytes(text, tokens=tokens) > 0 and (
            self._forget_oldest() or self.features.forget_oldest(but=needed)
        ):
            mx.clear_cache()

    def _forget_oldest(self) -> bool:
        """Lets the conversation go that was unused for longest, the last one never."""
        for cache in self._conversations[:-1]:
            if not cache.in_use:
                self._let_go(cache)
                return True
        return False

    def clear(self) -> None:
        """Forgets all conversations and features."""
        self._conversations.clear()
        self.features.clear()

    def _use(self, cache: PromptCache) -> None:
        self._let_go(cache)
        self._conversations.append(cache)

    def _let_go(self, cache: PromptCache) -> None:
        with suppress(ValueError):  # it went already, or was never there
            self._conversations.remove(cache)
