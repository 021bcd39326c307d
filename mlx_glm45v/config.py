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

from .errors import CheckpointError
from .rope_config import RopeParameters, rope_fields_from_dict

HIDDEN_ACTIVATIONS = frozenset(
    "gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python gelu_python_tanh "
    "gelu_pytorch_tanh hardswish laplace leaky_relu linear mish quick_gelu relu relu2 "
    "relu6 sigmoid silu swish tanh".split()
)
DTYPES = ("bfloat16", "float16", "float32")
TEXT_MODEL_TYPES = ("glm4v_moe_text", "glm4v_moe")
VISION_MODEL_TYPES = ("glm4v_moe_vision", "glm4v_moe", "glm4v_vision", "glm4v")


def _refuse(config: object, name: str, value: object, wanted: str) -> CheckpointError:
    return CheckpointError(
        f"{type(config).__name__}.{name} is {value!r}; supported is {wanted}. "
        "Check the checkpoint's config.json."
    )


def _check_positive_ints(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise _refuse(config, name, value, "a whole number from 1")


def _check_bools(config: object, *names: str) -> None:
    for name in names:
        if not isinstance(value := getattr(config, name), bool):
            raise _refuse(config, name, value, "true or false")


def _check_number(config: object, name: str, *, above: float) -> None:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= above:
        raise _refuse(config, name, value, f"a number above {above:g}")


def _check_one_of(config: object, name: str, allowed: tuple[str, ...]) -> None:
    if (value := getattr(config, name)) not in allowed:
        raise _refuse(config, name, value, "one of " + ", ".join(allowed))


def _mapping(data: object, name: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise CheckpointError(
            f"{name} is {type(data).__name__}, not a table. Check the config.json."
        )
    return dict(data)


def _dtype_from(data: dict[str, Any]) -> str | None:
    """Take `dtype` or its older spelling `torch_dtype` out of `data`."""
    older, newer = data.pop("torch_dtype", None), data.pop("dtype", None)
    value = newer if newer is not None else older
    return value.removeprefix("torch.") if isinstance(value, str) else value


def _square(config: object, name: str, value: object) -> object:
    """transformers also allows [n, n] for a side; its model computes squares only."""
    if isinstance(value, list | tuple):
        if len(set(value)) != 1:
            raise _refuse(config, name, value, "one number (square)")
        return value[0]
    return value


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
            value = _square(self, name, getattr(self, name))
            object.__setattr__(self, name, value)
        _check_positive_ints(
            self,
            *("depth", "hidden_size", "num_heads", "in_channels", "image_size"),
            *("patch_size", "spatial_merge_size", "temporal_patch_size"),
            *("out_hidden_size", "intermediate_size"),
        )
        _check_bools(self, "attention_bias")
        _check_number(self, "rms_norm_eps", above=0)
        _check_number(self, "rope_theta", above=1)
        _check_one_of(self, "hidden_act", tuple(sorted(HIDDEN_ACTIVATIONS)))
        _check_one_of(self, "model_type", VISION_MODEL_TYPES)

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
            raise _refuse(
                self, "num_heads", self.num_heads, f"a divisor of {self.hidden_size}"
            )
        if self.head_dim % 4:
            raise _refuse(
                self, "num_heads", self.num_heads, "heads of a multiple of 4 numbers"
            )
        if self.image_size < self.patch_size:
            raise _refuse(
                self, "image_size", self.image_size, f"at least {self.patch_size}"
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a `vision_config` table; raises `CheckpointError`."""
        data = _mapping(data, "vision_config")
        data["dtype"] = _dtype_from(data)
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
        return cls(**_known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """The table as transformers writes it."""
        data = _plain(self)
        theta = data.pop("rope_theta")
        data["rope_parameters"] = {"rope_type": "axial", "rope_theta": theta}
        return data


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
        if self.head_dim is None:
            heads = self.num_attention_heads
            object.__setattr__(self, "head_dim", self.hidden_size // max(heads, 1))
        _check_positive_ints(
            self,
            *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
            *("num_attention_heads", "num_key_value_heads", "head_dim"),
            *("max_position_embeddings", "moe_intermediate_size"),
            *("num_experts_per_tok", "n_routed_experts", "n_group", "topk_group"),
        )
        for name in ("n_shared_experts", "first_k_dense_replace"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _refuse(self, name, value, "a whole number from 0")
        _check_bools(self, "attention_bias", "norm_topk_prob", "tie_word_embeddings")
        _check_bools(self, "use_cache", "output_router_logits")
        _check_number(self, "rms_norm_eps", above=0)
        _check_number(self, "routed_scaling_factor", above=0)
        _check_one_of(self, "hidden_act", tuple(sorted(HIDDEN_ACTIVATIONS)))
        _check_one_of(self, "model_type", TEXT_MODEL_TYPES)
        if self.dtype is not None:
            _check_one_of(self, "dtype", DTYPES)
        for name in ("use_qk_norm", "qk_layernorm"):
            if self.extra.get(name):
                raise _refuse(self, name, self.extra[name], "false")
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
            raise _refuse(
                self, "num_key_value_heads", kv_heads, f"a divisor of {heads}"
            )
        self.rope_parameters.validate(self.size_of_head)
        if self.first_k_dense_replace >= self.num_hidden_layers:
            return
        experts, groups = self.n_routed_experts, self.n_group
        if experts % groups:
            raise _refuse(self, "n_group", groups, f"a divisor of {experts} experts")
        if groups > 1 and experts // groups < 2:
            raise _refuse(self, "n_group", groups, "groups of at least 2 experts")
        if self.topk_group > groups:
            raise _refuse(self, "topk_group", self.topk_group, f"at most {groups}")
        if self.num_experts_per_tok > (most := experts // groups * self.topk_group):
            raise _refuse(
                self,
                "num_experts_per_tok",
                self.num_experts_per_tok,
                f"at most {most}, the experts in {self.topk_group} of {groups} groups",
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a `text_config` table, in the older or newer spelling."""
        data = _mapping(data, "text_config")
        data["dtype"] = _dtype_from(data)
        data = rope_fields_from_dict(data)
        for name in ("n_shared_experts", "first_k_dense_replace"):
            if name in data and data[name] is None:
                data[name] = 0
        return cls(**_known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """The table in both spellings, so that old and new readers load it."""
        data = _plain(self)
        scaling = dict(self.rope_scaling or {"rope_type": "default"})
        data["rope_scaling"] = scaling
        data["rope_parameters"] = {
            **scaling,
            "rope_theta": self.rope_theta,
            "partial_rotary_factor": self.partial_rotary_factor,
        }
        return data


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
                    raise _refuse(self, item.name, value, "a token id")
        _check_bools(self, "tie_word_embeddings")
        if self.dtype is not None:
            _check_one_of(self, "dtype", DTYPES)
        if self.model_type == "glm4v":
            raise CheckpointError(
                "model_type is 'glm4v': this is a dense sibling (GLM-4.1V-9B-Thinking or "
                "GLM-4.6V-Flash). Supported is 'glm4v_moe' (GLM-4.5V, GLM-4.6V)."
            )
        _check_one_of(self, "model_type", ("glm4v_moe",))

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
            raise _refuse(
                self.vision_config,
                "out_hidden_size",
                self.vision_config.out_hidden_size,
                f"{self.text_config.hidden_size}, the decoder's hidden_size",
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a config.json's content; raises `CheckpointError`."""
        data = _mapping(data, "config.json")
        data["dtype"] = _dtype_from(data)
        other = data.pop("quantization_config", None)
        data["quantization"] = data.pop("quantization", None) or other
        if data.get("model_type", cls.model_type) == cls.model_type:
            text, vision = data.get("text_config"), data.get("vision_config")
            data["text_config"] = Glm4vMoeTextConfig.from_dict(text or {})
            data["vision_config"] = Glm4vMoeVisionConfig.from_dict(vision or {})
        else:
            data.pop("text_config", None)
            data.pop("vision_config", None)
        return cls(**_known(cls, data))

    def to_dict(self) -> dict[str, Any]:
        """What a config.json holds; `from_dict` gives an equal config back."""
        data = _plain(self)
        data["text_config"] = self.text_config.to_dict()
        data["vision_config"] = self.vision_config.to_dict()
        if table := data.pop("quantization", None):
            data["quantization_config"] = dict(table)
            if "quant_method" not in table:
                data["quantization"] = dict(table)
        return data


def _known(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """Arguments for `cls`: its own fields, and the rest in `extra`."""
    names = {item.name for item in fields(cls)} - {"extra"}
    known = {key: value for key, value in data.items() if key in names}
    known["extra"] = {key: value for key, value in data.items() if key not in names}
    return known


def _plain(config: Any) -> dict[str, Any]:
    """Fields as JSON values, `extra` merged in, unset dtypes left out."""
    data = {item.name: getattr(config, item.name) for item in fields(config)}
    data.update(data.pop("extra"))
    if data["dtype"] is None:
        del data["dtype"]
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in data.items()
    }
