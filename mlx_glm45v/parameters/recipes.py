"""How many bits each kind of module gets: a table of named recipes.

Knows kinds, bits and group sizes; knows no arrays and no files. A recipe is a value:
what a module becomes follows from the recipe, its key and its shape alone.

`uniform` is how the files of mlx-community were made: everything in the decoder that
can be quantised, the vision tower not at all. The tiers by memory spend bits where they
count: attention is 5 % of the weights but 39 % of what a token reads, and feels errors
in every layer; routed experts are 93 % of the weights. Their down projection, whose
error goes straight into the residual stream, is one step above gate and up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..model.weights import layer_of
from .kinds import KINDS, NEVER_QUANTISED, Kind, kind_of

Mode = Literal["affine", "mxfp4", "mxfp8", "nvfp4"]
BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (128, 64, 32)
# The formats of these modes fix their bits and group size.
FP_MODES: dict[Mode, tuple[int, int]] = {
    "mxfp4": (4, 32),
    "mxfp8": (8, 32),
    "nvfp4": (4, 16),
}


@dataclass(frozen=True)
class Scheme:
    """How one module is stored: MLX's `bits`, `group_size` and `mode`.

    Raises ValueError for a combination that MLX does not have.
    """

    bits: int
    group_size: int = 64
    mode: Mode = "affine"

    def __post_init__(self) -> None:
        if self.mode == "affine":
            if self.bits not in BITS:
                raise ValueError(f"affine has {_listed(BITS)} bits, not {self.bits}")
            if self.group_size not in GROUP_SIZES:
                raise ValueError(
                    f"affine has groups of {_listed(GROUP_SIZES)}, not "
                    f"{self.group_size}"
                )
        elif self.mode not in FP_MODES:
            known = ", ".join(("affine", *FP_MODES))
            raise ValueError(f"unknown mode {self.mode!r}; known are {known}")
        elif FP_MODES[self.mode] != (self.bits, self.group_size):
            bits, group = FP_MODES[self.mode]
            raise ValueError(
                f"{self.mode} has {bits} bits and groups of {group}, not "
                f"{self.bits} and {self.group_size}"
            )

    @property
    def columns_together(self) -> int:
        """Rows are multiples of this: the group, but MLX packs two groups of nvfp4."""
        return max(self.group_size, 32)

    def entry(self) -> dict[str, int | str]:
        """What config.json says of it under `quantization`."""
        return {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}


@dataclass(frozen=True)
class Raised:
    """Modules that get more bits in the outer layers and in every third between.

    The meaning of mlx-lm's `mixed_*`: the first and the last eighth of the layers, and
    every third one counted from the end of the first eighth.
    """

    bits: int
    names: tuple[str, ...] = ("v_proj", "down_proj")

    def holds_for(self, module: str, num_hidden_layers: int) -> bool:
        """Whether a module gets `bits`; what is in no decoder layer does not."""
        layer = layer_of(module)
        if layer is None or module.rpartition(".")[2] not in self.names:
            return False
        eighth = num_hidden_layers // 8
        is_outer = layer < eighth or layer >= 7 * num_hidden_layers // 8
        return is_outer or (layer - eighth) % 3 == 2


@dataclass(frozen=True)
class Recipe:
    """Bits by kind of module; a kind that the table leaves out keeps its float dtype.

    Router, norms and the tower's kernels are never in the table.
    """

    name: str
    summary: str
    table: Mapping[Kind, int]
    group_size: int = 64
    mode: Mode = "affine"
    raised: Raised | None = None

    def __post_init__(self) -> None:
        for kind, bits in self.table.items():
            if kind in NEVER_QUANTISED or kind not in KINDS:
                raise ValueError(f"recipe {self.name}: {kind} cannot be quantised")
            Scheme(bits, self.group_size, self.mode)

    def scheme_for(
        self, module: str, shape: tuple[int, ...], *, num_hidden_layers: int
    ) -> Scheme | None:
        """How the weight of a module is stored, None: as it is, in the float dtype.

        `module` is its key without `.weight`, `shape` the weight's. Where the rows are
        no multiple of the group size, the next smaller one that divides them is taken:
        layer 0's down projection has 10944 columns, no multiple of 128. Raises
        ValueError for an unknown module.
        """
        kind = kind_of(module)
        bits = self.table.get(kind)
        if bits is None or len(shape) < 2:
            return None
        if self.raised and self.raised.holds_for(module, num_hidden_layers):
            bits = self.raised.bits
        sizes = GROUP_SIZES if self.mode == "affine" else (self.group_size,)
        for group_size in sizes:
            scheme = Scheme(bits, group_size, self.mode)
            fits = shape[-1] % scheme.columns_together == 0
            if group_size <= self.group_size and fits:
                return scheme
        return None

    def with_vision(self, bits: int | None) -> Recipe:
        """The same with the tower's linear layers at `bits`; None leaves them float."""
        table = {kind: b for kind, b in self.table.items() if kind != "vision"}
        if bits is None:
            return replace(self, table=table)
        summary = f"{self.summary}; vision at {bits} bits"
        return replace(self, summary=summary, table={**table, "vision": bits})

    def with_group_size(self, group_size: int) -> Recipe:
        """The same with other groups; raises ValueError where the mode fixes them."""
        return replace(self, group_size=group_size)


def by_kind(
    *,
    embeddings: int,
    attention: int,
    shared: int,
    gate_up: int,
    down: int,
    head: int,
) -> dict[Kind, int]:
    """A table from the groups that people think in; `shared` also covers layer 0."""
    return {
        "embeddings": embeddings,
        "head": head,
        "attention": attention,
        "dense": shared,
        "shared": shared,
        "expert_gate": gate_up,
        "expert_up": gate_up,
        "expert_down": down,
    }


def uniform(bits: int, *, group_size: int = 64) -> Recipe:
    """Everything in the decoder at `bits`, as mlx-community publishes GLM-4.5V."""
    name = f"{bits}bit" if group_size == 64 else f"{bits}bit-g{group_size}"
    summary = f"the whole decoder at {bits} bits in groups of {group_size}"
    return Recipe(name, summary, _all(bits), group_size)


def floating(mode: Mode) -> Recipe:
    """Everything in the decoder in one of MLX's floating-point modes."""
    if mode not in FP_MODES:
        raise ValueError(f"{mode!r} is none of {', '.join(FP_MODES)}")
    bits, group_size = FP_MODES[mode]
    summary = f"the whole decoder as {bits}-bit floats in groups of {group_size}"
    return Recipe(mode, summary, _all(bits), group_size, mode)


def mixed(low: int, high: int, *, group_size: int = 64) -> Recipe:
    """mlx-lm's `mixed_<low>_<high>`: head at `high`, the rest at `low` but `Raised`."""
    table: dict[Kind, int] = {**_all(low), "head": high}
    return Recipe(
        f"mixed_{low}_{high}",
        f"mlx-lm's: {low} bits, head and some v_proj and down_proj at {high}",
        table,
        group_size,
        raised=Raised(high),
    )


def _all(bits: int) -> dict[Kind, int]:
    return by_kind(
        embeddings=bits,
        attention=bits,
        shared=bits,
        gate_up=bits,
        down=bits,
        head=bits,
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in sorted(numbers))


_TIERS = (
    #   name       gate_up down attention shared head embeddings  summary
    ("mac-64gb", 2, 3, 5, 6, 6, 6, "a Mac with 64 GB: 16k context and a picture"),
    ("mac-96gb", 4, 5, 5, 6, 6, 6, "a Mac with 96 GB: 16k context and a picture"),
    ("mac-128gb", 5, 6, 6, 8, 6, 8, "a Mac with 128 GB: 64k context and pictures"),
    ("mac-192gb", 6, 8, 6, 8, 6, 8, "a Mac with 192 GB: 64k context and videos"),
)


def _recipes() -> dict[str, Recipe]:
    tiers = [
        Recipe(
            name,
            summary,
            by_kind(
                embeddings=embeddings,
                attention=attention,
                shared=shared,
                gate_up=gate_up,
                down=down,
                head=head,
            ),
        )
        for name, gate_up, down, attention, shared, head, embeddings, summary in _TIERS
    ]
    recipes = [
        *(uniform(bits) for bits in BITS),
        *(floating(mode) for mode in FP_MODES),
        *tiers,
        *(mixed(low, high) for low, high in ((2, 6), (3, 4), (3, 6), (4, 6))),
    ]
    return {recipe.name: recipe for recipe in recipes}


RECIPES: Mapping[str, Recipe] = _recipes()


def find_recipe(name: str) -> Recipe:
    """The recipe of this name; raises ValueError that lists those there are."""
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
