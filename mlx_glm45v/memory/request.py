"""What is asked of a model, and on what kind of device, as plain values.

Knows the numbers of GLM-4.5V's preprocessor_config; knows no bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ..config import Glm4vMoeConfig

# GLM-4.5V's preprocessor_config: the largest picture, and all frames of one video.
LARGEST_IMAGE_TOKENS = 6144
LARGEST_VIDEO_TOKENS = 30_000
# A 1080p picture, or pair of frames.
HD_FRAME_TOKENS = 2691

# Conversations answered before stay in memory up to what so many tokens take, and
# their pictures' features up to so much.
KEPT_TOKENS = 32_768
KEPT_FEATURE_BYTES = 512 * 2**20

# mlx-lm's quantised cache: its bits, and its groups.
KV_BITS = (4, 8)
KV_GROUP = 64


@dataclass(frozen=True)
class Backend:
    """How floats are kept, and whether attention writes its scores down.

    Metal keeps the files' 16 bits and has a fused kernel; on the CPU backend everything
    is float32 and scores are materialised in pieces.
    """

    name: str
    float_bytes: int
    fused_attention: bool


METAL = Backend("Metal", float_bytes=2, fused_attention=True)
CPU = Backend("CPU", float_bytes=4, fused_attention=False)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of the model.

    `context` counts all tokens of prompt and answer, those of media included: `images`
    pictures of `image_tokens` each, and a video of `video_seconds`.
    """

    context: int
    images: int = 0
    image_tokens: int = LARGEST_IMAGE_TOKENS
    video_seconds: float = 0.0
    kv_bits: int | None = None
    prefill_step_size: int = 2048

    @property
    def video_tokens(self) -> int:
        """One pair of 1080p frames a second, up to the video budget."""
        seconds = ceil(self.video_seconds)
        return min(seconds * HD_FRAME_TOKENS, LARGEST_VIDEO_TOKENS)

    @property
    def media_tokens(self) -> int:
        return self.images * self.image_tokens + self.video_tokens

    def check(self, config: Glm4vMoeConfig) -> None:
        """Raise ValueError for numbers that make no request to this model."""
        for name in ("images", "video_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, below 0")
        for name in ("context", "image_tokens", "prefill_step_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, below 1")
        if self.context > config.context_length:
            raise ValueError(
                f"a context of {self.context:,} tokens is more than the model's "
                f"{config.context_length:,}"
            )
        if self.media_tokens > self.context:
            raise ValueError(
                f"{self.images} pictures of {self.image_tokens:,} tokens and "
                f"{self.video_tokens:,} tokens of video are more than the context of "
                f"{self.context:,}; raise the context or give fewer media"
            )
        if self.kv_bits is not None and self.kv_bits not in KV_BITS:
            raise ValueError(f"kv_bits is {self.kv_bits}; known are {KV_BITS}")
        if self.kv_bits and config.text_config.size_of_head % KV_GROUP:
            raise ValueError(
                f"heads of {config.text_config.size_of_head} numbers cannot be "
                f"quantised in groups of {KV_GROUP}"
            )
