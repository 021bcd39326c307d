"""The keys and values of one conversation, and the tokens they stand for.

Knows which tokens and pictures the layers hold. Does not know how they got there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlx.core as mx

from mlx_glm45v.errors import Cancelled
from mlx_glm45v.processing.prompt import Prompt

if TYPE_CHECKING:
    from mlx_lm.models.cache import KVCache

    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration


@dataclass(frozen=True)
class CachedSpan:
    """Tokens [start, stop) that a picture filled, and the digest of that picture.

    Two pictures of one size have equal token ids; only the digest tells them apart.
    """

    start: int
    stop: int
    digest: str


class PromptCache:
    """The one state of a request: its tokens, its pictures, its positions, its layers.

    `tokens` are exactly what the layers hold whenever nobody is `working` on it:
    `len(cache) == layer.offset` for each layer, and nothing in them is left lazy.
    Token i after the prompt has position i + `rope_delta`.
    """

    def __init__(self, model: Glm4vMoeForConditionalGeneration) -> None:
        self._model = model
        self.clear()

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def spans(self) -> tuple[CachedSpan, ...]:
        """The pictures that the layers hold, the last one perhaps in part."""
        return tuple(span for span in self._spans if span.start < len(self.tokens))

    def clear(self) -> None:
        """Forgets everything."""
        self.layers: list[KVCache] = self._model.make_cache()
        self.tokens: list[int] = []
        self.rope_delta: int = 0
        self._spans: tuple[CachedSpan, ...] = ()

    @contextmanager
    def working(self, prompt: Prompt) -> Iterator[None]:
        """Starts afresh for `prompt`; afterwards the cache is what its tokens say.

        That holds for a normal end, a stop (`Cancelled`) and a reader who left; any
        other error may have struck halfway through a layer, and empties the cache.
        """
        self.clear()
        self.rope_delta = prompt.rope_delta
        self._spans = tuple(
            CachedSpan(span.start, span.stop, span.digest) for span in prompt.spans
        )
        try:
            yield
        except (Cancelled, GeneratorExit):
            self._settle()
            raise
        except BaseException:
            self.clear()
            raise
        self._settle()

    def advance(self, tokens: Iterable[int]) -> None:
        """Records `tokens` that the layers have taken in."""
        self.tokens.extend(tokens)

    def evaluate(self) -> None:
        """Computes what is still lazy."""
        mx.eval([layer.state for layer in self.layers if not layer.empty()])

    def _settle(self) -> None:
        """Drops what some or all layers hold beyond `tokens`."""
        for layer in self.layers:
            layer.trim(layer.offset - len(self.tokens))
        self.evaluate()
