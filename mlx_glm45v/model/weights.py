"""Where each tensor of a published checkpoint belongs in the model.

Pure tables from names to names: it knows the Hugging Face layouts (one tensor per
expert, fused experts, older prefixes) and the MLX layout, which is the model's own.
Does not know files, arrays or configs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Axes = tuple[int, ...]

# The first prefix that fits wins, so the longer ones come first.
_PREFIXES = (
    ("model.language_model.", "language_model.model."),
    ("model.visual.", "vision_tower."),
    ("lm_head.", "language_model.lm_head."),
    # Written before transformers 4.56 moved the language model into one of its own.
    ("visual.", "vision_tower."),
    ("model.layers.", "language_model.model.layers."),
    ("model.embed_tokens.", "language_model.model.embed_tokens."),
    ("model.norm.", "language_model.model.norm."),
)
_MLX_PREFIXES = ("language_model.model.", "language_model.lm_head.", "vision_tower.")

_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.")
_EXPERT = re.compile(r"(.*\.mlp)\.experts\.(\d+)\.(gate_proj|up_proj|down_proj)\.(.+)")
_FUSED_GATE_UP = re.compile(r"(.*\.mlp)\.experts\.gate_up_proj(?:\.weight)?")
_FUSED_DOWN = re.compile(r"(.*\.mlp)\.experts\.down_proj(?:\.weight)?")
# Frequencies are computed from the config; some files carry them all the same.
_DERIVED = re.compile(r".*\.(rotary_emb|rotary_pos_emb)\.inv_freq")
_ROUTER = re.compile(r".*\.mlp\.gate\.(weight|e_score_correction_bias)")

# torch convolves (out, in, *kernel); MLX (out, *kernel, in).
_CHANNEL_LAST: dict[str, Axes] = {
    "vision_tower.patch_embed.proj.weight": (0, 2, 3, 4, 1),
    "vision_tower.downsample.weight": (0, 2, 3, 1),
}


@dataclass(frozen=True)
class Target:
    """One parameter (or a part of it) that a stored tensor fills.

    The stored tensor is first cut to its `half` of axis 1 (0 or 1; None: all of it),
    then transposed by `axes`; the result is row `expert` of parameter `key`, or all of
    it.
    """

    key: str
    expert: int | None = None
    half: Literal[0, 1] | None = None
    axes: Axes | None = None

    def shape_of(self, stored: Sequence[int]) -> tuple[int, ...] | None:
        """Shape of this target's part, None when the stored shape cannot give it."""
        shape = tuple(stored)
        if self.half is not None:
            if len(shape) < 2 or shape[1] % 2:
                return None
            shape = (shape[0], shape[1] // 2, *shape[2:])
        if self.axes is not None:
            if len(shape) != len(self.axes):
                return None
            shape = tuple(shape[axis] for axis in self.axes)
        return shape


def targets(name: str, *, layout: Literal["hf", "mlx"]) -> tuple[Target, ...] | None:
    """What a stored tensor fills: nothing for derived values, None for an unknown name.

    Fused experts are (experts, 2 * intermediate, hidden), gate before up, as in
    transformers' `Glm4vMoeTextExperts`.
    """
    if layout == "mlx":
        return (Target(name),) if name.startswith(_MLX_PREFIXES) else None
    key = _with_our_prefix(name)
    if key is None:
        return None
    if _DERIVED.fullmatch(key):
        return ()
    if match := _EXPERT.fullmatch(key):
        mlp, expert, projection, kind = match.groups()
        return (Target(f"{mlp}.switch_mlp.{projection}.{kind}", expert=int(expert)),)
    if match := _FUSED_GATE_UP.fullmatch(key):
        switch = f"{match[1]}.switch_mlp"
        return (
            Target(f"{switch}.gate_proj.weight", half=0),
            Target(f"{switch}.up_proj.weight", half=1),
        )
    if match := _FUSED_DOWN.fullmatch(key):
        return (Target(f"{match[1]}.switch_mlp.down_proj.weight"),)
    return (Target(key, axes=_CHANNEL_LAST.get(key)),)


def layer_of(key: str) -> int | None:
    """Index of the decoder layer one of our keys belongs to, None outside of them."""
    match = _LAYER.match(key)
    return int(match[1]) if match else None


def keeps_float32(key: str) -> bool:
    """Whether a parameter stays float32 whatever the model's dtype.

    The router chooses between experts whose scores differ by less than bf16 resolves.
    """
    return _ROUTER.fullmatch(key) is not None


def module_of(key: str) -> str:
    """The module a parameter belongs to: its key without the last segment."""
    return key.rpartition(".")[0]


def _with_our_prefix(name: str) -> str | None:
    for theirs, ours in _PREFIXES:
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return None
