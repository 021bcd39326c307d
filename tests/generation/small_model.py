"""A small random model, and the plainest ways to use it."""

import mlx.core as mx
import numpy as np

from mlx_glm45v.generation.answer import GenerationOptions
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.events import TextDelta
from mlx_glm45v.generation.markers import Markers
from mlx_glm45v.generation.prefill import encode_media, prefill
from mlx_glm45v.generation.sampling import SamplingOptions
from mlx_glm45v.generation.stream import stream_prompt
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from tests.generation.fakes import CONFIG, Letters

NO_MARKERS = Markers(thinking=None, box=None, tool=None, hidden=())
# A random model would choose media placeholders, which no reference pass can repeat.
NO_MEDIA = dict.fromkeys(range(90, CONFIG.text_config.vocab_size), -1000000000.0)
NUMBERS = [f"{token} " for token in range(CONFIG.text_config.vocab_size)]


def make_model(config=CONFIG):
    """A small random model with pictures and experts, in float32."""
    mx.random.seed(0)
    model = Glm4vMoeForConditionalGeneration(config)
    # Larger than a fresh layer's, so that the tokens chosen vary.
    model.update(
        {"language_model": _scaled(model.language_model.parameters(), 2.0)},
        strict=False,
    )
    mx.eval(model.parameters())
    return model


def _scaled(tree, factor):
    if isinstance(tree, dict):
        return {key: _scaled(value, factor) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_scaled(value, factor) for value in tree]
    return tree * factor if tree.ndim > 1 else tree


def exhaust(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def prefilled(model, prompt, step_size=4096, cache=None):
    """A cache that holds `prompt`, and the logits of its last token."""
    cache = PromptCache(model) if cache is None else cache
    with cache.working(prompt, rope_length=len(prompt)) as kept:
        features = exhaust(encode_media(model, prompt, start=kept))
        logits = exhaust(
            prefill(
                model,
                cache,
                prompt,
                features,
                step_size=step_size,
                rope_length=len(prompt) + 20,
            )
        )
    return cache, np.array(logits)


def tokens(model, prompt, **options):
    """The ids that `prompt` is answered with."""
    events = answered(model, prompt, **options)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return [int(word) for word in text.split()]


def finished(model, prompt, **options):
    """The last event of an answer to `prompt`."""
    return list(answered(model, prompt, **options))[-1]


def answered(model, prompt, *, sampling=None, cache=None, features=None, **options):
    """The events of an answer to `prompt`, whose text is the ids."""
    should_stop = options.pop("should_stop", None)
    return stream_prompt(
        model,
        prompt,
        detokenizer=Letters(NUMBERS),
        options=GenerationOptions(**{"max_tokens": 12, **options}),
        sampling=SamplingOptions(logit_bias=NO_MEDIA, **(sampling or {})),
        markers=NO_MARKERS,
        cache=cache,
        features=features,
        should_stop=should_stop,
    )
