"""How many bytes a model and a request take together.

Knows which parts there are and what they add up to; their formulas are in `formulas`
and `weights`. Knows no files, no arrays and no machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config import Glm4vMoeConfig
from .formulas import (
    activation_bytes,
    feature_bytes,
    kv_bytes,
    reserve_bytes,
    vision_workspace_bytes,
)
from .request import (
    HD_FRAME_TOKENS,
    LARGEST_IMAGE_TOKENS,
    METAL,
    Backend,
    Request,
)
from .weights import weight_bytes


@dataclass(frozen=True)
class Footprint:
    """Bytes by what they are for. `vision_workspace` is an upper bound.

    `config`, `request` and `backend` are what it was computed from.
    """

    weights: int
    kv: int
    vision_features: int
    vision_workspace: int
    activations: int
    reserve: int
    config: Glm4vMoeConfig
    request: Request
    backend: Backend

    @property
    def workspace(self) -> int:
        """Pictures are encoded before tokens are: only the larger of the two counts."""
        return max(self.vision_workspace, self.activations)

    @property
    def total(self) -> int:
        """weights + kv + features + max(vision workspace, activations) + reserve."""
        kept = self.weights + self.kv + self.vision_features
        return kept + self.workspace + self.reserve

    def with_request(
        self,
        *,
        context: int | None = None,
        images: int | None = None,
        video_seconds: float | None = None,
    ) -> Footprint:
        """The same model with another request; raises ValueError as the first did."""
        asked = self.request
        request = replace(
            asked,
            context=asked.context if context is None else context,
            images=asked.images if images is None else images,
            video_seconds=(
                asked.video_seconds if video_seconds is None else video_seconds
            ),
        )
        return _footprint(self.config, self.weights, request, self.backend)


def estimate_footprint(
    config: Glm4vMoeConfig,
    quantization: Mapping[str, Any] | None = None,
    *,
    context: int,
    images: int = 0,
    video_seconds: float = 0.0,
    kv_bits: int | None = None,
    prefill_step_size: int = 2048,
    image_tokens: int = LARGEST_IMAGE_TOKENS,
    weights: int | None = None,
    backend: Backend = METAL,
) -> Footprint:
    """What a model and a request take, in bytes.

    `quantization` is MLX's table with its entries per module, None for plain weights;
    `weights` goes before it where headers were read. Raises ValueError for a request
    that the model cannot take, and for a quantisation that is not MLX's.
    """
    request = Request(
        context=context,
        images=images,
        image_tokens=image_tokens,
        video_seconds=video_seconds,
        kv_bits=kv_bits,
        prefill_step_size=prefill_step_size,
    )
    if weights is None:
        weights = weight_bytes(config, quantization, float_bytes=backend.float_bytes)
    return _footprint(config, weights, request, backend)


def smallest_footprint(
    config: Glm4vMoeConfig,
    *,
    weights: int,
    backend: Backend,
    prefill_step_size: int = 2048,
) -> Footprint:
    """What has to fit for loading to make sense: 4,096 tokens and one 1080p picture."""
    context = min(max(4096, prefill_step_size), config.context_length)
    tokens = max(1, min(HD_FRAME_TOKENS, context * 2 // 3))
    request = Request(
        context=context,
        images=1,
        image_tokens=tokens,
        prefill_step_size=prefill_step_size,
    )
    return _footprint(config, weights, request, backend)


def _footprint(
    config: Glm4vMoeConfig, weights: int, request: Request, backend: Backend
) -> Footprint:
    request.check(config)
    return Footprint(
        weights=weights,
        kv=kv_bytes(config.text_config, request, backend),
        vision_features=feature_bytes(config, request, backend),
        vision_workspace=vision_workspace_bytes(config.vision_config, request, backend),
        activations=activation_bytes(config.text_config, request, backend),
        reserve=reserve_bytes(weights),
        config=config,
        request=request,
        backend=backend,
    )
