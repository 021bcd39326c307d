"""A model whose next token is known beforehand, and prompts for it and real models.

`ScriptedModel` has the interface of `Glm4vMoeForConditionalGeneration` and real mlx-lm
caches. Its keys hold token ids and its values their positions, so that every choice
depends on everything the cache holds.
"""

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache

from mlx_glm45v.config import Glm4vMoeConfig, Glm4vMoeTextConfig, Glm4vMoeVisionConfig
from mlx_glm45v.model.outputs import Glm4vMoeCausalLMOutputWithPast
from mlx_glm45v.processing.positions import PlaceholderRun, rope_positions
from mlx_glm45v.processing.prompt import MediaItem, MediaSpan, Prompt

IMAGE, VIDEO = 90, 91
CONFIG = Glm4vMoeConfig(
    text_config=Glm4vMoeTextConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        moe_intermediate_size=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=256,
        rope_scaling={"rope_type": "default", "mrope_section": [1, 1, 2]},
    ),
    vision_config=Glm4vMoeVisionConfig(
        depth=2,
        hidden_size=16,
        num_heads=2,
        in_channels=1,
        image_size=8,
        patch_size=2,
        temporal_patch_size=1,
        out_hidden_size=32,
        intermediate_size=24,
    ),
    image_token_id=IMAGE,
    video_token_id=VIDEO,
    image_start_token_id=92,
    image_end_token_id=93,
    video_start_token_id=94,
    video_end_token_id=95,
)


@dataclass
class Given:
    """Patches that are there."""

    pixel_values: np.ndarray


def make_prompt(*parts, items=None, open_thinking=False) -> Prompt:
    """A prompt of token lists and pictures ("image" | "video", seed, (h, w))."""
    ids, runs, spans, found = [], [], [], []
    for part in parts:
        if isinstance(part, list):
            ids += part
            continue
        kind, seed, (height, width) = part
        pixels = np.random.default_rng(seed).normal(size=(height * width, 4))
        start = len(ids)
        ids += [IMAGE] * (height * width // 4)
        runs.append(PlaceholderRun(start, len(ids), (1, height, width)))
        spans.append(
            MediaSpan(
                start,
                len(ids),
                digest=f"{seed}",
                pixels=Given(pixels.astype(np.float32)),
                grid_thw=(1, height, width),
                item=len(found),
            )
        )
        found.append(MediaItem(kind, f"{kind} {seed}", 100, 100))
    positions, delta = rope_positions(len(ids), runs, merge_size=2)
    return Prompt(
        token_ids=np.array(ids, dtype=np.int32),
        positions=positions,
        rope_delta=delta,
        spans=tuple(spans),
        items=tuple(items or found),
        open_thinking=open_thinking,
    )


class ScriptedModel:
    """Follows `successor[token]`, or hashes the whole history where that is None."""

    expert_source = None

    def __init__(self, successor=None, config=CONFIG):
        self.config = config
        self.successor = None if successor is None else mx.array(successor)
        self.layers_run = 0
        self.blocks_run = 0
        self.encoded: list[tuple[int, int, int]] = []

    def make_cache(self):
        return [KVCache() for _ in range(self.config.text_config.num_hidden_layers)]

    def rope_regime(self, rope_length):  # noqa: ARG002
        return None

    def encode_media(self, pixel_values, grid_thw, *, on_block=None):
        self.encoded += list(grid_thw)
        for _ in range(self.config.vision_config.depth):
            self.blocks_run += 1
            if on_block is not None:
                on_block(pixel_values)
        features, start = [], 0
        for t, h, w in grid_thw:
            patches = pixel_values[start : start + t * h * w]
            features.append(patches.reshape(t * h * w // 4, -1).sum(axis=1)[:, None])
            start += t * h * w
        return features

    def embed_inputs(self, input_ids, features=None):
        embeds = input_ids[..., None].astype(mx.float32)
        if features is None:
            return embeds
        is_media = (input_ids == IMAGE) | (input_ids == VIDEO)
        index = mx.maximum(mx.cumsum(is_media.astype(mx.int32), axis=-1) - 1, 0)
        return mx.where(is_media[..., None], features[index], embeds)

    def __call__(
        self,
        inputs_embeds,
        position_ids=None,
        past_key_values=None,
        rope_deltas=None,
        logits_to_keep=0,
        on_layer=None,
        rope_length=None,
    ):
        assert logits_to_keep == 1
        assert rope_length is not None
        length = inputs_embeds.shape[1]
        if position_ids is None:
            start = past_key_values[0].offset + rope_deltas
            position_ids = mx.broadcast_to(
                mx.arange(start, start + length), (3, 1, length)
            )
        places = (position_ids * mx.array([1, 3, 5])[:, None, None]).sum(axis=0)
        values = mx.round(inputs_embeds * 100)[:, None]
        keys = places[:, None, :, None].astype(mx.float32)
        for cache in past_key_values:
            self.layers_run += 1
            seen_keys, seen_values = cache.update_and_fetch(keys, values)
            if on_layer is not None:
                on_layer(seen_values)
        vocab = self.config.text_config.vocab_size
        if self.successor is not None:
            last = (inputs_embeds[0, -1, 0]).astype(mx.int32)
            chosen = self.successor[last]
        else:
            mixed = (seen_keys * (seen_values + 1) % 9973).sum()
            chosen = (mixed % (vocab - 8)).astype(mx.int32)
        # As in a real model, nothing is known before all layers have run.
        everything = sum((c.keys + c.values).sum() for c in past_key_values)
        logits = (mx.arange(vocab) == chosen) * 10.0 + 0 * everything
        return Glm4vMoeCausalLMOutputWithPast(logits=logits[None, None])


class Letters:
    """A detokeniser over a list of strings."""

    def __init__(self, words):
        self.words = words

    def add(self, token_id):
        return self.words[token_id]

    def finish(self):
        return ""
