"""GLM-4.5V: the vision tower, the decoder and the head as one model.

Names follow the checkpoints: attributes are the key segments of the published MLX
files, classes and arguments are transformers'. Knows arrays, grids and caches; knows no
files, no text, no pictures. Nothing is evaluated here and nothing of a request is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn

from ..config import Glm4vMoeConfig, Glm4vMoeTextConfig
from .decoder import Deltas, Glm4vMoeTextModel, OnLayer, past_length
from .outputs import Cache, Glm4vMoeCausalLMOutputWithPast, Glm4vMoeModelOutputWithPast
from .placeholders import Placeholders, find_placeholders, rope_index
from .traffic import ExpertSource
from .vision import Glm4vMoeVisionModel, Grid, OnBlock

IGNORED_LABEL = -100


class LanguageModel(nn.Module):
    """The key segment `language_model`: the decoder and, unless tied, its head."""

    def __init__(self, config: Glm4vMoeTextConfig) -> None:
        super().__init__()
        self.model = Glm4vMoeTextModel(config)

    def logits(self, hidden_states: mx.array) -> mx.array:
        """(..., hidden) -> (..., vocabulary)."""
        if "lm_head" in self:
            return self["lm_head"](hidden_states)
        return self.model.embed_tokens.as_linear(hidden_states)


class Glm4vMoeModel(nn.Module):
    """GLM-4.5V without a head. Source: transformers' `Glm4vMoeModel`.

    `expert_source` is there where loading left experts in their files.
    """

    expert_source: ExpertSource | None = None

    def __init__(self, config: Glm4vMoeConfig) -> None:
        super().__init__()
        config.validate()
        self.config = config
        self.vision_tower = Glm4vMoeVisionModel(config.vision_config)
        self.language_model = LanguageModel(config.text_config)

    def make_cache(self) -> Cache:
        """An empty mlx-lm cache for each decoder layer."""
        return self.language_model.model.make_cache()

    def rope_regime(self, rope_length: int) -> int | bool | None:
        """What a request's rotary frequencies hang on; caches fit within one regime."""
        return self.language_model.model.rope_regime(rope_length)

    def encode_media(
        self,
        pixel_values: mx.array,
        grid_thw: Grid,
        *,
        on_block: OnBlock | None = None,
    ) -> list[mx.array]:
        """Features of pictures: one (t * h * w / merge**2, hidden) for each grid row.

        `pixel_values` is (N, patch vector) in merge order. `on_block` is called with
        the states after each vision block. Raises ValueError where they disagree.
        """
        features = self.vision_tower(pixel_values, grid_thw, on_block=on_block)
        window = self.config.vision_config.spatial_merge_size**2
        result, start = [], 0
        for t, h, w in grid_thw:
            stop = start + int(t) * int(h) * int(w) // window
            result.append(features[start:stop])
            start = stop
        return result

    def get_image_features(
        self, pixel_values: mx.array, image_grid_thw: Grid
    ) -> list[mx.array]:
        """transformers' name for `encode_media` of images."""
        return self.encode_media(pixel_values, image_grid_thw)

    def get_video_features(
        self, pixel_values_videos: mx.array, video_grid_thw: Grid
    ) -> list[mx.array]:
        """transformers' name for `encode_media` of videos, one array a video."""
        return self.encode_media(pixel_values_videos, video_grid_thw)

    def embed_inputs(
        self, input_ids: mx.array, features: mx.array | None = None
    ) -> mx.array:
        """Tokens (B, L) -> (B, L, hidden), features (M, hidden) at their placeholders.

        Features go to the image and video placeholders in order. Their numbers must be
        equal; if they are not, everything comes out as NaN.
        """
        embeds = self.language_model.model.embed(input_ids)
        if features is None:
            return embeds
        found = find_placeholders(
            lambda token: input_ids == token,
            self.config,
            images=features.shape[0],
            videos=None,
        )
        return found.merge(embeds, features)

    def __call__(
        self,
        input_ids: mx.array | None = None,
        attention_mask: mx.array | None = None,
        position_ids: mx.array | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: mx.array | None = None,
        use_cache: bool | None = None,
        pixel_values: mx.array | None = None,
        pixel_values_videos: mx.array | None = None,
        image_grid_thw: Grid | None = None,
        video_grid_thw: Grid | None = None,
        rope_deltas: Deltas | None = None,
        cache_position: mx.array | None = None,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        output_router_logits: bool | None = None,
        return_dict: bool = True,
        rope_length: int | None = None,
        states_to_keep: int = 0,
        on_layer: OnLayer | None = None,
        on_block: OnBlock | None = None,
    ) -> Glm4vMoeModelOutputWithPast:
        """Hidden states of a prompt with images, videos or both.

        Pixels are (N, patch vector); their grids are rows (t, h, w) in patches. Image
        tokens between video markers take video features, all others image features,
        each in order. The other arguments are `Glm4vMoeTextModel`'s. The output's
        `rope_deltas` (B,) go into the next call with the same cache. Raises ValueError
        for arguments that do not fit together.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("exactly one of input_ids and inputs_embeds is needed")
        decoder = self.language_model.model
        embeds = inputs_embeds
        if input_ids is not None:
            embeds = decoder.embed(input_ids)
        assert embeds is not None
        images = _pixels("image", pixel_values, image_grid_thw)
        videos = _pixels("video", pixel_values_videos, video_grid_thw)
        deltas = _row_deltas(rope_deltas, embeds.shape[0])
        if images or videos:
            given = [pair for pair in (images, videos) if pair]
            features = [
                mx.concatenate(self.encode_media(*pair, on_block=on_block))
                for pair in given
            ]
            found = self._placeholders(input_ids, embeds, images, videos, features)
            embeds = found.merge(embeds, mx.concatenate(features))
            if position_ids is None:
                position_ids, added = rope_index(
                    found,
                    [row for pair in given for row in _frames(pair[1])],
                    merge=self.config.vision_config.spatial_merge_size,
                    attention_mask=_last(attention_mask, embeds.shape[1]),
                    start=_start(past_key_values, attention_mask, embeds) + deltas,
                )
                deltas = deltas + added
        output = decoder(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            rope_deltas=rope_deltas,
            cache_position=cache_position,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            output_router_logits=output_router_logits,
            rope_length=rope_length,
            states_to_keep=states_to_keep,
            on_layer=on_layer,
        )
        result = Glm4vMoeModelOutputWithPast(
            last_hidden_state=output.last_hidden_state,
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
            rope_deltas=deltas,
            router_logits=output.router_logits,
        )
        if not return_dict:
            return result.to_tuple()  # pyright: ignore[reportReturnType]
        return result

    def _placeholders(
        self,
        input_ids: mx.array | None,
        embeds: mx.array,
        images: tuple[mx.array, Grid] | None,
        videos: tuple[mx.array, Grid] | None,
        features: Sequence[mx.array],
    ) -> Placeholders:
        def find(token: int) -> mx.array:
            if input_ids is not None:
                return input_ids == token
            row = self.language_model.model.embed(mx.array([token]))
            return (embeds == row).all(axis=-1)

        return find_placeholders(
            find,
            self.config,
            images=features[0].shape[0] if images else None,
            videos=features[-1].shape[0] if videos else None,
        )


class Glm4vMoeForConditionalGeneration(Glm4vMoeModel):
    """GLM-4.5V with its head. Source: transformers' class of this name.

    Extends the model without a head instead of holding it, so that no segment enters
    the keys that the published files do not have.
    """

    def __init__(self, config: Glm4vMoeConfig) -> None:
        super().__init__(config)
        if not config.tie_word_embeddings:
            text = config.text_config
            self.language_model.lm_head = nn.Linear(
                text.hidden_size, text.vocab_size, bias=False
            )

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        input_ids: mx.array | None = None,
        attention_mask: mx.array | None = None,
        position_ids: mx.array | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: mx.array | None = None,
        use_cache: bool | None = None,
        pixel_values: mx.array | None = None,
        pixel_values_videos: mx.array | None = None,
        image_grid_thw: Grid | None = None,
        video_grid_thw: Grid | None = None,
        rope_deltas: Deltas | None = None,
        cache_position: mx.array | None = None,
        labels: mx.array | None = None,
        logits_to_keep: int | mx.array = 0,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        output_router_logits: bool | None = None,
        return_dict: bool = True,
        rope_length: int | None = None,
        on_layer: OnLayer | None = None,
        on_block: OnBlock | None = None,
    ) -> Glm4vMoeCausalLMOutputWithPast:
        """Logits of a prompt; arguments as `Glm4vMoeModel`'s, and:

        `labels` (B, L) gives `loss`, the mean next-token cross entropy, where -100 does
        not count. `logits_to_keep` computes the logits of the last so many positions
        (0: all), or of the positions in an array (K,) or (B, K).
        """
        output = super().__call__(
            input_ids,
            attention_mask,
            position_ids,
            past_key_values,
            inputs_embeds,
            use_cache,
            pixel_values,
            pixel_values_videos,
            image_grid_thw,
            video_grid_thw,
            rope_deltas,
            cache_position,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            output_router_logits=output_router_logits,
            rope_length=rope_length,
            states_to_keep=logits_to_keep if isinstance(logits_to_keep, int) else 0,
            on_layer=on_layer,
            on_block=on_block,
        )
        kept = keep_positions(output.last_hidden_state, logits_to_keep)
        logits = self.language_model.logits(kept)
        result = Glm4vMoeCausalLMOutputWithPast(
            loss=None if labels is None else next_token_loss(logits, labels),
            logits=logits,
            past_key_values=output.past_key_values,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
            rope_deltas=output.rope_deltas,
            router_logits=output.router_logits,
        )
        if not return_dict:
            return result.to_tuple()  # pyright: ignore[reportReturnType]
        return result


def keep_positions(hidden_states: mx.array, keep: int | mx.array) -> mx.array:
    """The states (B, K, hidden) whose logits are wanted; see `logits_to_keep`."""
    if isinstance(keep, int):
        return hidden_states[:, -keep:] if keep else hidden_states
    if keep.dtype == mx.bool_:
        raise ValueError("logits_to_keep is a mask; give positions (K,) or (B, K)")
    if keep.ndim == 1:
        return hidden_states[:, keep]
    return mx.take_along_axis(hidden_states, keep[..., None], axis=1)


def next_token_loss(logits: mx.array, labels: mx.array) -> mx.array:
    """Mean cross entropy of each position's successor, -100 ignored, in float32."""
    if logits.shape[:2] != labels.shape:
        raise ValueError(
            f"labels have shape {labels.shape}, logits {logits.shape[:2]}: give a "
            "label for each position that logits_to_keep keeps"
        )
    targets = labels[:, 1:]
    counted = targets != IGNORED_LABEL
    losses = nn.losses.cross_entropy(
        logits[:, :-1].astype(mx.float32), mx.where(counted, targets, 0)
    )
    return (losses * counted).sum() / counted.sum()


def _pixels(
    kind: str, pixels: mx.array | None, grid: Grid | None
) -> tuple[mx.array, Grid] | None:
    if pixels is None:
        return None
    if grid is None:
        raise ValueError(f"pixels of a {kind} need {kind}_grid_thw")
    return pixels, [[int(number) for number in row] for row in grid]


def _frames(grid: Grid) -> list[tuple[int, int, int]]:
    """Rows of one frame each: every frame of a video is placed like a picture."""
    return [(1, h, w) for t, h, w in grid for _ in range(t)]


def _row_deltas(deltas: Deltas | None, batch: int) -> mx.array:
    values = mx.array(0 if deltas is None else deltas).reshape(-1)
    return mx.broadcast_to(values, (batch,))


def _last(attention_mask: mx.array | None, length: int) -> mx.array | None:
    return None if attention_mask is None else attention_mask[:, -length:]


def _start(
    cache: Cache | None, attention_mask: mx.array | None, embeds: mx.array
) -> int | mx.array:
    """Tokens before this call: cached ones, padding left out."""
    if attention_mask is None:
        return past_length(cache)
    return (attention_mask[:, : -embeds.shape[1]] != 0).sum(axis=-1)
