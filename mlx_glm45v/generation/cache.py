"""The keys and values of one conversation, and the tokens they stand for.

Knows which tokens and pictures the layers hold. Does not know how they got there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map
from mlx_lm.models.cache import KVCache, QuantizedKVCache

from mlx_glm45v.errors import Cancelled, ConversationInUse
from mlx_glm45v.processing.prompt import MediaSpan, Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

# mlx-lm's, and what the memory planner counts with.
_GROUP_SIZE = 64


@dataclass(frozen=True)
class KVPrecision:
    """How keys and values are kept: `bits` 4 or 8 from token `start` on, None as made.

    A cache that reaches `start` is quantised as a whole, earlier tokens too.

    Raises:
        ValueError: mlx-lm has no such cache.
    """

    bits: int | None = None
    start: int = 0

    def __post_init__(self) -> None:
        if self.bits not in (None, 4, 8):
            raise ValueError(f"kv_bits can be 4 or 8, not {self.bits}")
        if self.start < 0:
            raise ValueError(f"kv_start must be 0 or more, not {self.start}")

    def check_head(self, size: int) -> None:
        """Raises ValueError where heads of `size` numbers cannot be quantised."""
        if self.bits is not None and size % _GROUP_SIZE:
            raise ValueError(
                f"kv_bits needs heads of a multiple of {_GROUP_SIZE} numbers; this "
                f"model's have {size}. Leave kv_bits out"
            )


AS_MADE = KVPrecision()


@dataclass(frozen=True)
class CachedSpan:
    """Tokens [start, stop) that a picture filled, its digest and its grid.

    Two pictures of one size have equal token ids; only the digest tells them apart.
    """

    start: int
    stop: int
    digest: str
    grid_thw: tuple[int, int, int]

    @classmethod
    def of(cls, span: MediaSpan) -> CachedSpan:
        """The same without its pixels."""
        return cls(span.start, span.stop, span.digest, span.grid_thw)


class PromptCache:
    """The one state of a request: its tokens, its pictures, its positions, its layers.

    `tokens` are exactly what the layers hold whenever nobody is `working` on it:
    `len(cache) == layer.offset` for each layer, and nothing in them is left lazy.
    Token i after the prompt has position i + `rope_delta`.
    """

    def __init__(
        self,
        model: Glm4vMoeForConditionalGeneration,
        precision: KVPrecision = AS_MADE,
    ) -> None:
        """Raises ValueError where the model's heads do not fit `precision`."""
        precision.check_head(model.config.text_config.size_of_head)
        self._model = model
        self.precision = precision
        self._lock = threading.Lock()
        self._work: object = None
        self.clear()

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def in_use(self) -> bool:
        """Whether a request is at work on it."""
        return self._work is not None

    @property
    def nbytes(self) -> int:
        """Memory that the layers take."""
        held = tree_flatten([layer.state[:2] for layer in self.layers])
        return sum(array.nbytes for _, array in held if isinstance(array, mx.array))

    @property
    def spans(self) -> tuple[CachedSpan, ...]:
        """The pictures that the layers hold, the last one perhaps in part."""
        return tuple(span for span in self._spans if span.start < len(self.tokens))

    def clear(self) -> None:
        """Forgets everything."""
        self.layers: list[KVCache | QuantizedKVCache] = self._model.make_cache()
        self.tokens: list[int] = []
        self.rope_delta: int = 0
        self._spans: tuple[CachedSpan, ...] = ()
        self._regime: object = None

    def reusable(self, prompt: Prompt, *, rope_length: int) -> int:
        """How many tokens at the start of `prompt` the layers hold already.

        No picture is cut, every picture within them is the same, and at least one token
        is left to be computed. `rope_length` is how far the request may reach.
        """
        if self._regime != self._model.rope_regime(rope_length):
            return 0
        count = min(_common_start(self.tokens, prompt.token_ids), len(prompt) - 1)
        theirs = map(CachedSpan.of, prompt.spans)
        for mine, other in zip_longest(self.spans, theirs):
            start = min(span.start for span in (mine, other) if span is not None)
            if start >= count:
                break
            if mine != other or mine.stop > count:
                return start
        return count

    def forked(self, count: int) -> PromptCache:
        """A cache of its own with the first `count` tokens of this one."""
        fork = PromptCache(self._model, self.precision)
        fork.tokens, fork._spans = self.tokens[:count], self._spans
        fork._regime = self._regime
        fork.layers = [_first_tokens(layer, count) for layer in self.layers]
        fork.evaluate()
        return fork

    @contextmanager
    def working(self, prompt: Prompt, *, rope_length: int) -> Iterator[int]:
        """Keeps what `prompt` can reuse, and gives its length.

        Afterwards the cache is what its tokens say. That holds for a normal end, a stop
        (`Cancelled`) and a reader who left; any other error may have struck halfway
        through a layer, and empties the cache.

        Raises:
            ConversationInUse: another request, of any thread, is at work on it.
        """
        work = object()
        try:
            self._claim(work)
            with self._made_whole():
                yield self._keep(prompt, rope_length)
        finally:
            if self._work is work:
                self._work = None

    def _claim(self, work: object) -> None:
        with self._lock:
            if self._work is None:
                self._work = work
        if self._work is not work:
            raise ConversationInUse(
                f"another answer is being made on these {len(self):,} tokens of keys "
                "and values; read its events to the end or close() them before, or "
                "give each answer a cache of its own"
            )

    def _keep(self, prompt: Prompt, rope_length: int) -> int:
        kept = self.reusable(prompt, rope_length=rope_length)
        if kept:
            del self.tokens[kept:]
            self._settle()
        else:
            self.clear()
        self.rope_delta = prompt.rope_delta
        self._regime = self._model.rope_regime(rope_length)
        self._spans = tuple(map(CachedSpan.of, prompt.spans))
        return kept

    @contextmanager
    def _made_whole(self) -> Iterator[None]:
        try:
            yield
        except (Cancelled, GeneratorExit):
            self._settle()
            raise
        except BaseException:
            self.clear()
            raise
        else:
            self._settle()

    def advance(self, tokens: Iterable[int]) -> None:
        """Records `tokens` that the layers have taken in."""
        self.tokens.extend(tokens)
        bits = self.precision.bits
        if bits is not None and len(self.tokens) > self.precision.start:
            self._quantise(bits)

    def evaluate(self) -> None:
        """Computes what is still lazy."""
        mx.eval([layer.state[:2] for layer in self.layers if not layer.empty()])

    def _quantise(self, bits: int) -> None:
        for index, layer in enumerate(self.layers):
            if isinstance(layer, KVCache):
                self.layers[index] = layer.to_quantized(_GROUP_SIZE, bits)
                mx.eval(self.layers[index].state[:2])

    def _settle(self) -> None:
        """Drops what some or all layers hold beyond `tokens`; an error empties them."""
        try:
            for layer in self.layers:
                layer.trim(layer.offset - len(self.tokens))
            self.evaluate()
        except BaseException:
            self.clear()
            raise


def _common_start(mine: list[int], theirs: np.ndarray) -> int:
    length = min(len(mine), len(theirs))
    different = np.flatnonzero(np.array(mine[:length], np.int32) != theirs[:length])
    return int(different[0]) if different.size else length


def _first_tokens(
    layer: KVCache | QuantizedKVCache, count: int
) -> KVCache | QuantizedKVCache:
    """A copy, so that neither's later tokens are written into the other's memory."""
    keys, values, _, *rest = layer.state
    copied = tree_map(lambda x: mx.contiguous(x[..., :count, :]), (keys, values))
    return type(layer).from_state((*copied, count, *rest))
