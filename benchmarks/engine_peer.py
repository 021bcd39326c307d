"""mlx-vlm as the engine benchmark uses it: float32, with the switch `way` names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np


class Runtime:
    """One model of mlx-vlm; `way` may end in " + prompt_cache_state" and the like."""

    def __init__(self, folder: Path, way: str) -> None:
        from mlx_vlm.utils import load_model

        self._folder, self._way = folder, way
        self._model = _in_float32(load_model(folder))

    def encode(self, inputs: Path) -> Callable[[], np.ndarray]:
        """Features of the pictures (tokens, hidden)."""
        found = np.load(inputs)
        pixels, grids = mx.array(found["pixels"]), mx.array(found["grids"])

        def run() -> np.ndarray:
            tower = self._model.vision_tower
            return np.array(tower(pixels, grids, output_hidden_states=False))

        return run

    def prefill(self, inputs: Path) -> Callable[[], np.ndarray]:
        """Log probabilities after the prompt (vocabulary,)."""
        from mlx_vlm.generate import generate_step

        found = np.load(inputs)
        ids = mx.array(found["ids"][None])
        media: dict[str, Any] = {}
        pixels = None
        if len(found["grids"]):
            pixels = mx.array(found["pixels"])
            media = {"image_grid_thw": mx.array(found["grids"])}

        def run() -> np.ndarray:
            steps = generate_step(
                ids, self._model, pixels, None, max_tokens=1, temperature=0.0, **media
            )
            _, logprobs = next(steps)
            return np.array(logprobs).reshape(-1)

        return run

    def decode(self, context: int) -> Iterator[int]:
        """Tokens after a context of random keys and values."""
        from mlx_vlm.generate import generate_step

        steps = generate_step(
            mx.array([[1]]),
            self._model,
            None,
            None,
            max_tokens=10**6,
            temperature=0.0,
            prompt_cache=self._filled(context),
        )
        for token, _ in steps:
            yield int(token)

    def step(self, context: int) -> Callable[[], mx.array]:
        """Builds the graph of one decoding step and returns its lazy logits."""
        cache, language = self._filled(context), self._model.language_model
        language._position_ids, language._rope_deltas = None, mx.array([[0]])
        return lambda: language(mx.array([[1]]), cache=cache).logits[:, -1]

    def turns(self, picture: Path, questions: list[str]) -> Iterator[float]:
        """Seconds to the first token of each question about the same picture."""
        from mlx_vlm import load, stream_generate

        model, processor = load(str(self._folder))
        model = _in_float32(model)
        switches = _switches(self._way, model)
        messages: list[dict[str, Any]] = []
        for number, question in enumerate(questions):
            content: list[dict[str, str]] = [{"type": "text", "text": question}]
            if number == 0:
                content.insert(0, {"type": "image"})
            messages.append({"role": "user", "content": content})
            template = processor.apply_chat_template or processor.tokenizer
            prompt = template(
                messages,
                add_generation_prompt=True,
                tokenize=False,
                enable_thinking=False,
            )
            begin, said, first = time.perf_counter(), "", None
            for piece in stream_generate(
                model,
                processor,
                prompt,
                image=[str(picture)],
                max_tokens=8,
                temperature=0.0,
                **switches,
            ):
                first = first or time.perf_counter() - begin
                said += piece.text
            messages.append(
                {"role": "assistant", "content": [{"type": "text", "text": said}]}
            )
            yield first or 0.0

    def _filled(self, context: int) -> list[Any]:
        from mlx_lm.models.cache import KVCache

        text = self._model.config.text_config
        shape = (1, text.num_key_value_heads, context, text.head_dim)
        caches = [KVCache() for _ in range(text.num_hidden_layers)]
        for layer in caches:
            layer.update_and_fetch(mx.random.normal(shape), mx.random.normal(shape))
        mx.eval([layer.state[:2] for layer in caches])
        return caches


def _switches(way: str, model: Any) -> dict[str, Any]:
    if way.endswith("prompt_cache_state"):
        from mlx_vlm.generate import PromptCacheState

        return {"prompt_cache_state": PromptCacheState()}
    if way.endswith("vision_cache"):
        from mlx_vlm.vision_cache import VisionFeatureCache

        return {"vision_cache": VisionFeatureCache()}
    if way.endswith("APC"):
        from mlx_vlm.apc import APCManager

        del model
        return {"apc_manager": APCManager()}
    return {}


def _in_float32(model: Any) -> Any:
    def cast(array: mx.array) -> mx.array:
        floating = mx.issubdtype(array.dtype, mx.floating)
        return array.astype(mx.float32) if floating else array

    from mlx.utils import tree_map

    model.update(tree_map(cast, model.parameters()))
    mx.eval(model.parameters())
    return model
