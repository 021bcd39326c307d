"""The rotary embedding's settings: their spellings, defaults and limits.

Knows what each rope type needs in a config.json. The frequencies that follow from it
are computed in `model.rope`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from ..errors import CheckpointError

ROPE_TYPES = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
DEFAULT_THETA = 10000.0
DEFAULT_PARTIAL_ROTARY_FACTOR = 0.5

# None in a required key is refused too, except where the reference computes a value.
_REQUIRED = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": (),
    "longrope": ("short_factor", "long_factor"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
}


def _error(name: str, value: object, wanted: str) -> CheckpointError:
    return CheckpointError(
        f"rope_parameters.{name} is {value!r}; supported is {wanted}. "
        "Check text_config in the checkpoint's config.json."
    )


def rope_fields_from_dict(data: dict[str, Any]) -> dict[str, Any]:
    """`data` with `rope_theta`, `partial_rotary_factor` and `rope_scaling` normalised.

    Reads `rope_scaling` with `rope_theta` beside it, or `rope_parameters`, or both.
    What the tables say wins over what stands beside them; tables that contradict each
    other are a `CheckpointError`.
    """
    data = dict(data)
    table: dict[str, Any] = {}
    for spelling in ("rope_scaling", "rope_parameters"):
        found = data.pop(spelling, None) or {}
        if not isinstance(found, Mapping):
            raise CheckpointError(f"text_config.{spelling} is {found!r}, not a table.")
        for key, value in found.items():
            key = "rope_type" if key == "type" else key
            if key in table and table[key] != value:
                raise CheckpointError(
                    f"rope_scaling and rope_parameters disagree on {key}: "
                    f"{table[key]!r} and {value!r}. Correct the config.json."
                )
            table[key] = value
    if (length := data.pop("original_max_position_embeddings", None)) is not None:
        table["original_max_position_embeddings"] = length
    for key, default in (
        ("rope_theta", DEFAULT_THETA),
        ("partial_rotary_factor", DEFAULT_PARTIAL_ROTARY_FACTOR),
    ):
        beside = data.pop(key, None)
        inside = table.pop(key, None)
        value = inside if inside is not None else beside
        data[key] = default if value is None else value
    table.setdefault("rope_type", "default")
    data["rope_scaling"] = None if table == {"rope_type": "default"} else table
    return data


@dataclass(frozen=True, kw_only=True)
class RopeParameters:
    """One rope type with everything that its formula needs.

    `mrope_section` counts frequencies: consecutive bands take the temporal, height and
    width position in turn. Source: transformers' `modeling_rope_utils.RopeParameters`.
    """

    rope_type: str
    rope_theta: float
    partial_rotary_factor: float
    max_position_embeddings: int
    original_max_position_embeddings: int
    mrope_section: tuple[int, ...] = (8, 12, 12)
    factor: float | None = None
    attention_factor: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    short_factor: tuple[float, ...] = ()
    long_factor: tuple[float, ...] = ()
    low_freq_factor: float | None = None
    high_freq_factor: float | None = None

    @classmethod
    def create(
        cls,
        table: Mapping[str, Any],
        *,
        rope_theta: float,
        partial_rotary_factor: float,
        max_position_embeddings: int,
    ) -> Self:
        """From a `rope_scaling` table and the values beside it; `CheckpointError`."""
        values: dict[str, Any] = dict(table)
        rope_type = values.setdefault("rope_type", values.get("type") or "default")
        if rope_type not in ROPE_TYPES:
            raise _error("rope_type", rope_type, "one of " + ", ".join(ROPE_TYPES))
        for name in _REQUIRED[rope_type]:
            if values.get(name) is None:
                raise _error(name, values.get(name), f"a value, with {rope_type!r}")
        for name in ("mrope_section", "short_factor", "long_factor"):
            if (value := values.get(name)) is None:
                values.pop(name, None)
            elif isinstance(value, list | tuple):
                values[name] = tuple(value)
            else:
                raise _error(name, value, "a list of numbers")
        if values.get("truncate") is None:
            values.pop("truncate", None)
        if values.get("original_max_position_embeddings") is None:
            values["original_max_position_embeddings"] = max_position_embeddings
        values["rope_theta"] = rope_theta
        values["partial_rotary_factor"] = partial_rotary_factor
        values["max_position_embeddings"] = max_position_embeddings
        names = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in names})

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("rope_type", "truncate") or value is None:
                continue
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, bool) or not isinstance(number, int | float):
                    raise _error(item.name, value, "a number")
        if self.rope_theta <= 1:
            raise _error("rope_theta", self.rope_theta, "a number above 1")
        if not 0 < self.partial_rotary_factor <= 1:
            raise _error(
                "partial_rotary_factor",
                self.partial_rotary_factor,
                "above 0, at most 1",
            )
        if self.factor is not None and self.factor <= 0:
            raise _error("factor", self.factor, "a number above 0")
        if self.original_max_position_embeddings < 1:
            raise _error(
                "original_max_position_embeddings",
                self.original_max_position_embeddings,
                "a whole number from 1",
            )

    def rotary_dim(self, head_dim: int) -> int:
        """How many leading numbers of a head are rotated."""
        return int(head_dim * self.partial_rotary_factor)

    def validate(self, head_dim: int) -> None:
        """Raise `CheckpointError` unless bands and factors cover what is rotated."""
        dims = self.rotary_dim(head_dim)
        half = dims // 2
        if dims < 2 or dims % 2:
            raise _error(
                "partial_rotary_factor",
                self.partial_rotary_factor,
                f"one that rotates an even part of head_dim {head_dim}",
            )
        if sum(self.mrope_section) != half:
            raise _error(
                "mrope_section",
                list(self.mrope_section),
                f"numbers with the sum {half} (head_dim {head_dim} times "
                f"partial_rotary_factor {self.partial_rotary_factor:g}, halved)",
            )
        if self.rope_type == "dynamic" and dims == 2:
            raise _error("rope_type", "dynamic", "more than 2 rotated numbers with it")
        if self.rope_type == "longrope":
            for name in ("short_factor", "long_factor"):
                if len(getattr(self, name)) != half:
                    raise _error(name, getattr(self, name), f"a list of {half} numbers")
        if self.rope_type == "llama3" and self.low_freq_factor == self.high_freq_factor:
            raise _error(
                "high_freq_factor", self.high_freq_factor, "unlike low_freq_factor"
            )
