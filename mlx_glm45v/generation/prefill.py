"""From a prompt to the logits of its last token: pictures first, then tokens.

Knows chunks, spans and positions. Does not know sampling or text.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.errors import MediaError, PromptTooLong
from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.generation.events import PrefillProgress
from mlx_glm45v.generation.features import FeatureCache, FeatureKey
from mlx_glm45v.generation.forward import last_logits
from mlx_glm45v.generation.pieces import (
    PIECE_FLOPS,
    Pieces,
    ShouldStop,
    check,
    decoder_layer_flops,
    vision_block_flops,
)
from mlx_glm45v.processing.prompt import MediaSpan, Prompt

if TYPE_CHECKING:
    from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration

# Frames of one video are encoded together up to this many patches: enough to keep the
# device busy, few enough that memory stays that of one large picture.
BATCH_PATCHES = 2048
STEP_SIZE = 2048
# The kernel that sorts tokens by expert needs this many tokens (128 experts, top 8).
SHORTEST_CHUNK = 64

Features = Mapping[FeatureKey, mx.array]


def check_prompt(prompt: Prompt, config: Glm4vMoeConfig) -> None:
    """Refuses what the model cannot take, before any work.

    Raises:
        PromptTooLong: prompt and one token of answer do not fit the context.
        MediaError: placeholders and pictures do not belong together one by one.
        ValueError: the prompt is empty.
    """
    length = len(prompt)
    context = config.context_length
    if length == 0:
        raise ValueError("the prompt is empty")
    if length + 1 > context:
        media = ", ".join(
            f"{count} of {name}"
            for name, count in (
                ("images", prompt.tokens_of("image")),
                ("videos", prompt.tokens_of("video")),
                ("document pages", prompt.tokens_of("page")),
            )
            if count
        )
        raise PromptTooLong(
            f"the prompt has {length} tokens{f' ({media})' if media else ''}, but the "
            f"model's context holds {context}, the answer included; give fewer or "
            "smaller media or drop earlier turns"
        )
    expected = np.zeros(length, dtype=bool)
    for span in prompt.spans:
        expected[span.start : span.stop] = True
    placeholders = np.isin(
        prompt.token_ids, (config.image_token_id, config.video_token_id)
    )
    if not np.array_equal(placeholders, expected):
        raise MediaError(
            f"the prompt holds {int(placeholders.sum())} media placeholders, but its "
            f"pictures fill {int(expected.sum())} of its tokens; a picture would be "
            "lost or misplaced"
        )


def encode_media(
    model: Glm4vMoeForConditionalGeneration,
    prompt: Prompt,
    *,
    start: int = 0,
    known: FeatureCache | None = None,
    should_stop: ShouldStop | None = None,
) -> Generator[PrefillProgress, None, Features]:
    """Encodes each different picture from token `start` on once; reports patches done.

    Returns evaluated features of shape (placeholders, hidden), by digest and grid.
    Those that `known` has are taken from it, the others are added to it.

    Raises:
        Cancelled: `should_stop` said so.
    """
    features: dict[FeatureKey, mx.array] = {}
    unique: dict[FeatureKey, MediaSpan] = {}
    for span in prompt.spans:
        key = key_of(span)
        if span.stop <= start or key in unique or key in features:
            continue
        before = None if known is None else known.get(key)
        if before is None:
            unique[key] = span
        else:
            features[key] = before
    total = sum(span.num_patches for span in unique.values())
    if not total:
        return features
    done = 0
    yield PrefillProgress("vision", done, total)
    for batch in plan_batches(list(unique.values())):
        check(should_stop)
        patches = [span.num_patches for span in batch]
        encoded = model.encode_media(
            _patches_of(batch),
            [span.grid_thw for span in batch],
            on_block=Pieces(
                vision_block_flops(model.config.vision_config, patches), should_stop
            ),
        )
        # Each a copy: a view would keep the whole batch for as long as any is kept.
        encoded = [mx.contiguous(feature) for feature in encoded]
        mx.eval(encoded)
        for span, feature in zip(batch, encoded, strict=True):
            features[key_of(span)] = feature
            if known is not None:
                known.put(key_of(span), feature)
        mx.clear_cache()
        done += sum(patches)
        yield PrefillProgress("vision", done, total)
    return features


def _patches_of(batch: Sequence[MediaSpan]) -> mx.array:
    patches = [mx.array(span.pixel_values) for span in batch]
    return patches[0] if len(patches) == 1 else mx.concatenate(patches)


def key_of(span: MediaSpan) -> FeatureKey:
    """What tells one picture's features from another's."""
    return span.digest, span.grid_thw


def plan_batches(spans: Sequence[MediaSpan]) -> list[list[MediaSpan]]:
    """Neighbours of one size together up to `BATCH_PATCHES`, everything else alone."""
    batches: list[list[MediaSpan]] = []
    for span in spans:
        last = batches[-1] if batches else []
        size = span.num_patches
        if (
            last
            and last[0].grid_thw == span.grid_thw
            and (len(last) + 1) * size <= BATCH_PATCHES
        ):
            last.append(span)
        else:
            batches.append([span])
    return batches


def prefill(
    model: Glm4vMoeForConditionalGeneration,
    cache: PromptCache,
    prompt: Prompt,
    features: Features,
    *,
    step_size: int | None,
    rope_length: int,
    should_stop: ShouldStop | None = None,
) -> Generator[PrefillProgress, None, mx.array]:
    """Feeds the part of `prompt` that `cache` lacks, chunk by chunk.

    Returns the evaluated logits (1, vocab_size) of the last token.

    Raises:
        Cancelled: `should_stop` said so; `cache.tokens` are then the whole chunks done.
    """
    config = model.config.text_config
    total = len(prompt)
    logits = mx.zeros((1, config.vocab_size))
    yield PrefillProgress("prompt", len(cache), total)
    source = model.expert_source
    if step_size is None:
        step_size = STEP_SIZE if source is None else source.prefill_tokens
    largest = bounded_step(model.config, step_size, context=total)
    for start, stop in plan_chunks(len(cache), total, largest):
        check(should_stop)
        ids = prompt.token_ids[start:stop]
        embeddings = model.embed_inputs(
            mx.array(ids[None]), _features_within(prompt, features, start, stop)
        )
        flops = decoder_layer_flops(config, tokens=stop - start, context=stop)
        if source is not None:
            flops = math.inf  # reading a layer's experts may take as long as any piece
        delta = shared_delta(prompt.positions, start, stop)
        spread = prompt.positions[:, None, start:stop]
        logits = last_logits(
            model,
            cache.layers,
            embeddings,
            position_ids=mx.array(spread) if delta is None else None,
            rope_deltas=delta,
            rope_length=rope_length,
            pieces=Pieces(flops, should_stop),
        )
        if stop == total:
            mx.eval(logits)
        cache.evaluate()
        cache.advance(ids.tolist())
        # The chunk's intermediates differ in size from the next one's.
        mx.clear_cache()
        yield PrefillProgress("prompt", stop, total)
    return logits


def plan_chunks(start: int, stop: int, largest: int) -> list[tuple[int, int]]:
    """Cuts [start, stop) into chunks of at most `largest` that differ by one at most.

    An even cut leaves no short remainder: 2050 tokens are 1025 + 1025.
    """
    count = -(-(stop - start) // largest)
    edges = [start + (stop - start) * part // count for part in range(count + 1)]
    return list(pairwise(edges))


def bounded_step(config: Glm4vMoeConfig, step_size: int, *, context: int) -> int:
    """`step_size`, made smaller where one layer of it would exceed a piece."""
    step = step_size
    while (
        step >= 4 * SHORTEST_CHUNK
        and decoder_layer_flops(config.text_config, tokens=step, context=context)
        > PIECE_FLOPS
    ):
        step //= 2
    return step


def shared_delta(positions: np.ndarray, start: int, stop: int) -> int | None:
    """The delta of tokens [start, stop) when all three axes advance with the index.

    None where a picture spreads the axes: then each token needs its own positions.
    """
    offsets = positions[:, start:stop] - np.arange(start, stop)
    first = int(offsets[0, 0])
    return first if (offsets == first).all() else None


def _features_within(
    prompt: Prompt, features: Features, start: int, stop: int
) -> mx.array | None:
    parts = [
        features[key_of(span)][max(start - span.start, 0) : stop - span.start]
        for span in prompt.spans
        if span.start < stop and start < span.stop
    ]
    return mx.concatenate(parts) if parts else None
