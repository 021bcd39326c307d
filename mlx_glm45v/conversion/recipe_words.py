"""From the command line's words about bits to a recipe, and back.

Knows mlx-lm's flags and defaults, and which of them contradict each other. Knows
nothing of sources and targets.
"""

from __future__ import annotations

import argparse

from ..parameters.recipes import (
    FP_MODES,
    RECIPES,
    Mode,
    Recipe,
    find_recipe,
    floating,
    mixed,
    uniform,
)

_DEFAULT_BITS = 4


def recipe_of(arguments: argparse.Namespace) -> Recipe | None:
    """The recipe that the words mean together, None for floats.

    Raises ValueError where they contradict each other.
    """
    details = {
        "--q-bits": arguments.q_bits,
        "--q-group-size": arguments.q_group_size,
        "--q-mode": arguments.q_mode,
        "--quant-predicate": arguments.quant_predicate,
    }
    given = [name for name, value in details.items() if value is not None]
    if arguments.dequantize:
        others = {
            "-q": arguments.quantize,
            "--recipe": arguments.recipe,
            "--vision-bits": arguments.vision_bits,
            "--search": arguments.search,
        }
        quantising = [name for name, value in others.items() if value] + given
        if quantising:
            raise ValueError(
                f"-d writes plain floats and {quantising[0]} quantises: choose one"
            )
    if arguments.recipe is not None and given:
        raise ValueError(
            f"--recipe {arguments.recipe} settles the bits of every layer, {given[0]} "
            "contradicts it: give one of the two"
        )
    if arguments.recipe is not None:
        recipe = find_recipe(arguments.recipe)
    elif arguments.quantize:
        recipe = _from_details(arguments)
    else:
        lonely = [*given, *(["--vision-bits"] if arguments.vision_bits else [])]
        lonely += ["--search"] if arguments.search else []
        if lonely:
            raise ValueError(f"{lonely[0]} says how to quantise: add -q, or a --recipe")
        return None
    if arguments.search and recipe.mode != "affine":
        raise ValueError(
            f"--search looks for scales of the affine format, {recipe.mode} has none "
            "to choose: leave it out"
        )
    if arguments.vision_bits is not None:
        recipe = recipe.with_vision(arguments.vision_bits)
    return recipe


def _from_details(arguments: argparse.Namespace) -> Recipe:
    """The recipe of mlx-lm's flags, with mlx-lm's defaults."""
    mode: Mode = arguments.q_mode or "affine"
    bits, group_size = arguments.q_bits, arguments.q_group_size
    if predicate := arguments.quant_predicate:
        if mode != "affine":
            raise ValueError(f"--quant-predicate {predicate} is affine, not {mode}")
        if bits is not None:
            raise ValueError(
                f"--quant-predicate {predicate} settles the bits, --q-bits contradicts "
                "it: give one of the two"
            )
        _, low, high = predicate.split("_")
        return mixed(int(low), int(high), group_size=group_size or 64)
    if mode == "affine":
        return uniform(bits or _DEFAULT_BITS, group_size=group_size or 64)
    fixed = FP_MODES[mode]
    if (bits or fixed[0], group_size or fixed[1]) != fixed:
        raise ValueError(
            f"--q-mode {mode} always has {fixed[0]} bits in groups of {fixed[1]}: "
            "leave out --q-bits and --q-group-size"
        )
    return floating(mode)


def words_of(recipe: Recipe) -> list[str] | None:
    """The words that `recipe_of` makes this recipe of again, None where there are none.

    A recipe made in a script may have any bits.
    """
    vision = recipe.table.get("vision")
    words = ["--vision-bits", str(vision)] if vision is not None else []
    plain = recipe.with_vision(None)
    known = RECIPES.get(recipe.name)
    if known is not None and known.table == plain.table:
        if known.group_size == plain.group_size:
            return ["--recipe", recipe.name, *words]
        # Of the named ones only mlx-lm's come with other groups.
        words = ["--quant-predicate", recipe.name, *words]
    else:
        bits = plain.table["attention"]
        if bits is None or uniform(bits, group_size=plain.group_size) != plain:
            return None
        words = ["--q-bits", str(bits), *words]
    return ["-q", *words, "--q-group-size", str(plain.group_size)]
