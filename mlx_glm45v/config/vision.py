"""The `vision_config` table of a config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..errors import CheckpointError
from .checks import (
    HIDDEN_ACTIVATIONS,
    check_bools,
    check_number,
    check_one_of,
    check_positive_ints,
    dtype_from,
    known,
    mapping,
    plain,
    refuse,
    square,
)

VISION_MODEL_TYPES = ("glm4v_moe_vision", "glm4v_moe", "glm4v_vision", "glm4v")


@dataclass(frozen=True, kw_only=True)
class Glm4vMoeVisionConfig:
    """The vision tower. Source: transformers' `Glm4vMoeVisionConfig`.

    The blocks' MLP is `out_hidden_size` wide; `intermediate_size` is the merger's
    width. `rope_parameters` may carry `rope_theta`; the type is always axial.
    """

    depth: int = 24
    hidden_size: int = 1536
    hidden_act: str = "silu"
    attention_bias: bool = False
    attention_dropout: float = 0.0
    num_heads: int = 12
    in_channels: int = 3
    image_size: int = 336
    patch_size: int = 14
    rms_norm_eps: float = 1e-5
    spatial_merge_size: int = 2
    temporal_patch_size: int = 2
    out_hidden_size: int = 4096
    intermediate_size: int = 13696
    initializer_range: float = 0.02
    rope_theta: float = 10000.0
    model_type: str = "glm4v_moe_vision"
    dtype: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image_size", "patch_size", "temporal_patch_size"):
            value = square(self, name, getattr(self, name))
            object.__setattr__(self, name, value)
        check_positive_ints(
            self,
            *("depth", "hidden_size", "num_heads", "in_channels", "image_size"),
            *("patch_size", "spatial_merge_size", "temporal_patch_size"),
            *("out_hidden_size", "intermediate_size"),
        )
        check_bools(self, "attention_bias")
        check_number(self, "rms_norm_eps", above=0)
        check_number(self, "rope_theta", above=1)
        check_one_of(self, "hidden_act", HIDDEN_ACTIVATIONS)
        check_one_of(self, "model_type", VISION_MODEL_TYPES)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def patch_length(self) -> int:
        """Numbers in one patch vector (channel, frame, row, column)."""
        return self.in_channels * self.temporal_patch_size * self.patch_size**2

    @property
    def positions_per_side(self) -> int:
        """Rows and columns of the learned position table."""
        return self.image_size // self.patch_size

    def validate(self) -> None:
        """Raise `CheckpointError` where fields do not fit together."""
        if self.hidden_size % self.num_heads:
            raise refuse(
                self, "num_heads", self.num_heads, f"a divisor of {self.hidden_size}"
            )
        if self.head_dim % 4:
            raise refuse(
                self, "num_heads", self.num_heads, "heads of a multiple of 4 numbers"
            )
        if self.image_size < self.patch_size:
            raise refuse(
                self, "image_size", self.image_size, f"at least {self.patch_size}"
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a `vision_config` table; raises `CheckpointError`."""
        data = mapping(data, "vision_config")
        data["dtype"] = dtype_from(data)
        older = data.pop("rope_scaling", None)
        rope = data.pop("rope_parameters", None) or older or {}
        rope_type = rope.get("rope_type", rope.get("type", "axial"))
        if rope_type not in ("axial", "default"):
            raise CheckpointError(
                f"vision_config.rope_parameters has rope_type {rope_type!r}; supported "
                "is axial. Check the checkpoint's config.json."
            )
        if "rope_theta" in rope:
            data["rope_theta"] = rope["rope_theta"]
        return cls(**known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """The table as transformers writes it."""
        data = plain(self)
        theta = data.pop("rope_theta")
        data["rope_parameters"] = {"rope_type": "axial", "rope_theta": theta}
        return data
