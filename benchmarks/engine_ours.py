"""This library as the engine benchmark uses it: float32, each thing at its best."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np

from benchmarks.engine_inputs import read_prompt
from mlx_glm45v import ChatOptions, ChatSession, load, load_model
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.decode import Decoder
from mlx_glm45v.generation.forward import last_logits
from mlx_glm45v.generation.prefill import encode_media, key_of, prefill
from mlx_glm45v.generation.sampling import Chooser, SamplingOptions

T = TypeVar("T")
_STEP = 2048


class Runtime:
    """One model of this library."""

    def __init__(self, folder: Path, way: str) -> None:
        del way
        self._folder = folder
        self._model = load_model(folder, dtype=mx.float32, force=True)

    def encode(self, inputs: Path) -> Callable[[], np.ndarray]:
        """Features of the pictures (tokens, hidden)."""
        prompt = read_prompt(inputs)

        def run() -> np.ndarray:
            features = _exhaust(encode_media(self._model, prompt))
            return np.concatenate(
                [np.array(features[key_of(span)]) for span in prompt.spans]
            )

        return run

    def prefill(self, inputs: Path) -> Callable[[], np.ndarray]:
        """Log probabilities after the prompt (vocabulary,)."""
        prompt = read_prompt(inputs)

        def run() -> np.ndarray:
            cache = PromptCache(self._model)
            reach = len(prompt) + 1
            with cache.working(prompt, rope_length=reach):
                features = _exhaust(encode_media(self._model, prompt))
                logits = _exhaust(
                    prefill(
                        self._model,
                        cache,
                        prompt,
                        features,
                        step_size=_STEP,
                        rope_length=reach,
                    )
                )
            return np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))[0]

        return run

    def decode(self, context: int) -> Iterator[int]:
        """Tokens after a context of random keys and values."""
        cache = self._filled(context)
        vocabulary = self._model.config.text_config.vocab_size
        choose = Chooser(SamplingOptions(), vocab_size=vocabulary, prompt=[1])
        logits = self._logits(cache)
        cache.advance([1])
        decoder = Decoder(self._model, cache, choose, logits, rope_length=2 * context)
        while True:
            yield decoder.read()

    def step(self, context: int) -> Callable[[], mx.array]:
        """Builds the graph of one decoding step and returns its lazy logits."""
        cache = self._filled(context)
        return lambda: self._logits(cache)

    def turns(self, picture: Path, questions: list[str]) -> Iterator[float]:
        """Seconds to the first token of each question about the same picture."""
        model, processor = load(self._folder, dtype=mx.float32, force=True)
        options = ChatOptions(max_tokens=8, thinking=False)
        session = ChatSession(model, processor, options=options)
        for number, question in enumerate(questions):
            images = [picture] if number == 0 else []
            yield session.ask(question, images=images).usage.time_to_first_token

    def _filled(self, context: int) -> PromptCache:
        text = self._model.config.text_config
        cache = PromptCache(self._model)
        shape = (1, text.num_key_value_heads, context, text.size_of_head)
        for layer in cache.layers:
            layer.update_and_fetch(mx.random.normal(shape), mx.random.normal(shape))
        cache.advance([1] * context)
        cache.evaluate()
        return cache

    def _logits(self, cache: PromptCache) -> mx.array:
        return last_logits(
            self._model,
            cache.layers,
            self._model.embed_inputs(mx.array([[1]])),
            rope_deltas=0,
            rope_length=65_536,
        )


def _exhaust(steps: Generator[Any, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
