"""A checkpoint's config.json as frozen values, with transformers' names and defaults.

Knows which fields exist, which values the model computes and how older files spell
them. Knows nothing of files, weights or mlx. A value that the model would compute
wrongly is a `CheckpointError` that names the field; keys without a meaning here are
kept in `extra`.

Fields without effect at inference, kept so that a config survives a round trip:
`attention_dropout`, `initializer_range`, `router_aux_loss_coef`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from ..errors import CheckpointError
from .checks import (
    DTYPES,
    check_bools,
    check_one_of,
    dtype_from,
    known,
    mapping,
    plain,
    refuse,
)
from .text import Glm4vMoeTextConfig
from .vision import Glm4vMoeVisionConfig

__all__ = ["Glm4vMoeConfig", "Glm4vMoeTextConfig", "Glm4vMoeVisionConfig"]


@dataclass(frozen=True, kw_only=True)
class Glm4vMoeConfig:
    """A whole checkpoint. Source: transformers' `Glm4vMoeConfig`.

    `quantization` is MLX's table of that name (with per-module overrides), or another
    maker's `quantization_config`, as it stands in the file: loading judges it.
    """

    text_config: Glm4vMoeTextConfig = field(default_factory=Glm4vMoeTextConfig)
    vision_config: Glm4vMoeVisionConfig = field(default_factory=Glm4vMoeVisionConfig)
    image_token_id: int = 151363
    video_token_id: int = 151364
    image_start_token_id: int = 151339
    image_end_token_id: int = 151340
    video_start_token_id: int = 151341
    video_end_token_id: int = 151342
    tie_word_embeddings: bool = False
    model_type: str = "glm4v_moe"
    dtype: str | None = None
    quantization: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.text_config.tie_word_embeddings:
            object.__setattr__(self, "tie_word_embeddings", True)
        for item in fields(self):
            if item.name.endswith("_token_id"):
                value = getattr(self, item.name)
                if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                    raise refuse(self, item.name, value, "a token id")
        check_bools(self, "tie_word_embeddings")
        if self.dtype is not None:
            check_one_of(self, "dtype", DTYPES)
        if self.model_type == "glm4v":
            raise CheckpointError(
                "model_type is 'glm4v': this is a dense sibling (GLM-4.1V-9B-Thinking "
                "or GLM-4.6V-Flash). Supported is 'glm4v_moe' (GLM-4.5V, GLM-4.6V)."
            )
        check_one_of(self, "model_type", ("glm4v_moe",))

    @property
    def context_length(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return self.text_config.max_position_embeddings

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        return self.text_config.eos_token_ids

    @property
    def weights_dtype(self) -> str | None:
        """The dtype that the files were written in, if the config says so."""
        return self.dtype or self.text_config.dtype

    def validate(self) -> None:
        """Raise `CheckpointError` where fields do not fit together."""
        self.text_config.validate()
        self.vision_config.validate()
        if self.vision_config.out_hidden_size != self.text_config.hidden_size:
            raise refuse(
                self.vision_config,
                "out_hidden_size",
                self.vision_config.out_hidden_size,
                f"{self.text_config.hidden_size}, the decoder's hidden_size",
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a config.json's content; raises `CheckpointError`."""
        data = mapping(data, "config.json")
        data["dtype"] = dtype_from(data)
        other = data.pop("quantization_config", None)
        data["quantization"] = data.pop("quantization", None) or other
        if data.get("model_type", cls.model_type) == cls.model_type:
            text, vision = data.get("text_config"), data.get("vision_config")
            data["text_config"] = Glm4vMoeTextConfig.from_dict(text or {})
            data["vision_config"] = Glm4vMoeVisionConfig.from_dict(vision or {})
        else:
            data.pop("text_config", None)
            data.pop("vision_config", None)
        return cls(**known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """What a config.json holds; `from_dict` gives an equal config back."""
        data = plain(self)
        data["text_config"] = self.text_config.to_dict()
        data["vision_config"] = self.vision_config.to_dict()
        if table := data.pop("quantization", None):
            data["quantization_config"] = dict(table)
            if "quant_method" not in table:
                data["quantization"] = dict(table)
        return data
