"""The `text_config` table of a config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .checks import (
    DTYPES,
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
)
from .rope import RopeParameters, rope_fields_from_dict

TEXT_MODEL_TYPES = ("glm4v_moe_text", "glm4v_moe")


@dataclass(frozen=True, kw_only=True)
class Glm4vMoeTextConfig:
    """The decoder. Source: transformers' `Glm4vMoeTextConfig`.

    `head_dim` None means `hidden_size // num_attention_heads`. `rope_theta`,
    `partial_rotary_factor` and `rope_scaling` are what transformers 5 keeps together in
    `rope_parameters`; the property of that name gives them checked.
    """

    vocab_size: int = 151424
    hidden_size: int = 4096
    intermediate_size: int = 10944
    num_hidden_layers: int = 46
    num_attention_heads: int = 96
    num_key_value_heads: int = 8
    head_dim: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 65536
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    use_cache: bool = True
    tie_word_embeddings: bool = False
    rope_theta: float = 10000.0
    partial_rotary_factor: float = 0.5
    rope_scaling: Mapping[str, Any] | None = None
    attention_bias: bool = True
    attention_dropout: float = 0.0
    moe_intermediate_size: int = 1408
    num_experts_per_tok: int = 8
    n_shared_experts: int = 1
    n_routed_experts: int = 128
    routed_scaling_factor: float = 1.0
    n_group: int = 1
    topk_group: int = 1
    first_k_dense_replace: int = 1
    norm_topk_prob: bool = True
    output_router_logits: bool = False
    router_aux_loss_coef: float = 0.0001
    bos_token_id: int | None = None
    eos_token_id: int | tuple[int, ...] | None = None
    pad_token_id: int | None = None
    model_type: str = "glm4v_moe_text"
    dtype: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.eos_token_id, list):
            object.__setattr__(self, "eos_token_id", tuple(self.eos_token_id))
        check_positive_ints(
            self,
            *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
            *("num_attention_heads", "num_key_value_heads"),
            *("max_position_embeddings", "moe_intermediate_size"),
            *("num_experts_per_tok", "n_routed_experts", "n_group", "topk_group"),
        )
        if self.head_dim is None:
            derived = self.hidden_size // self.num_attention_heads
            object.__setattr__(self, "head_dim", derived)
        else:
            check_positive_ints(self, "head_dim")
        for name in ("n_shared_experts", "first_k_dense_replace"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise refuse(self, name, value, "a whole number from 0")
        check_bools(self, "attention_bias", "norm_topk_prob", "tie_word_embeddings")
        check_bools(self, "use_cache", "output_router_logits")
        check_number(self, "rms_norm_eps", above=0)
        check_number(self, "routed_scaling_factor", above=0)
        check_one_of(self, "hidden_act", HIDDEN_ACTIVATIONS)
        check_one_of(self, "model_type", TEXT_MODEL_TYPES)
        if self.dtype is not None:
            check_one_of(self, "dtype", DTYPES)
        for name in ("use_qk_norm", "qk_layernorm"):
            if self.extra.get(name):
                raise refuse(self, name, self.extra[name], "false")
        _ = self.rope_parameters

    @property
    def rope_parameters(self) -> RopeParameters:
        """What the rotary embedding needs, checked and with defaults filled in."""
        return RopeParameters.create(
            self.rope_scaling or {},
            rope_theta=self.rope_theta,
            partial_rotary_factor=self.partial_rotary_factor,
            max_position_embeddings=self.max_position_embeddings,
        )

    @property
    def size_of_head(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        if self.eos_token_id is None:
            return ()
        ids = self.eos_token_id
        return (ids,) if isinstance(ids, int) else tuple(ids)

    def is_dense(self, layer: int) -> bool:
        """Whether a layer has one MLP instead of experts."""
        return layer < self.first_k_dense_replace

    def validate(self) -> None:
        """Raise `CheckpointError` where fields do not fit together.

        Apart from construction, because the documented defaults (96 heads of 4096 //
        96) do not satisfy it: published checkpoints set `head_dim`.
        """
        heads, kv_heads = self.num_attention_heads, self.num_key_value_heads
        if heads % kv_heads:
            raise refuse(self, "num_key_value_heads", kv_heads, f"a divisor of {heads}")
        self.rope_parameters.validate(self.size_of_head)
        if self.first_k_dense_replace >= self.num_hidden_layers:
            return
        experts, groups = self.n_routed_experts, self.n_group
        if experts % groups:
            raise refuse(self, "n_group", groups, f"a divisor of {experts} experts")
        if groups > 1 and experts // groups < 2:
            raise refuse(self, "n_group", groups, "groups of at least 2 experts")
        if self.topk_group > groups:
            raise refuse(self, "topk_group", self.topk_group, f"at most {groups}")
        if self.num_experts_per_tok > (most := experts // groups * self.topk_group):
            raise refuse(
                self,
                "num_experts_per_tok",
                self.num_experts_per_tok,
                f"at most {most}, the experts in {self.topk_group} of {groups} groups",
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a `text_config` table, in the older or newer spelling."""
        data = mapping(data, "text_config")
        data["dtype"] = dtype_from(data)
        data = rope_fields_from_dict(data)
        for name in ("n_shared_experts", "first_k_dense_replace"):
            if name in data and data[name] is None:
                data[name] = 0
        return cls(**known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """The table in both spellings, so that old and new readers load it."""
        data = plain(self)
        scaling = dict(self.rope_scaling or {"rope_type": "default"})
        data["rope_scaling"] = scaling
        data["rope_parameters"] = {
            **scaling,
            "rope_theta": self.rope_theta,
            "partial_rotary_factor": self.partial_rotary_factor,
        }
        return data
