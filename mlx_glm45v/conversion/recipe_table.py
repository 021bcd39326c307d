"""The recipes as a table: bits per weight, size, bytes a token reads, smallest Mac.

Worked out from shapes and from `memory`'s footprints. Opens no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..config import Glm4vMoeConfig
from ..memory import Footprint, estimate_footprint, verdicts
from ..memory.request import LARGEST_IMAGE_TOKENS
from ..parameters.recipes import RECIPES, Recipe
from .sizes import measure

# What a recipe's summary promises room for: a talk about a picture.
CONTEXT = 16_384
# GLM-4.5V as released, where its values are not those of `Glm4vMoeConfig`'s defaults.
_RELEASED: Mapping[str, Any] = {
    "model_type": "glm4v_moe",
    "text_config": {
        "model_type": "glm4v_moe_text",
        "vocab_size": 151552,
        "head_dim": 128,
        "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]},
    },
    "vision_config": {"model_type": "glm4v_moe", "intermediate_size": 10944},
}


def released() -> Glm4vMoeConfig:
    """GLM-4.5V's config, for tables that are asked for without any files."""
    return Glm4vMoeConfig.from_dict(_RELEASED)


def footprint_of(config: Glm4vMoeConfig, weights: int) -> Footprint:
    """What a Mac needs for 16k tokens of context and a picture of the largest size.

    Both are less where the config allows less. `weights` are their bytes.
    """
    context = min(CONTEXT, config.context_length)
    return estimate_footprint(
        config,
        context=context,
        images=1 if context > 1 else 0,
        image_tokens=min(LARGEST_IMAGE_TOKENS, max(1, context // 2)),
        weights=weights,
    )


def recipe_lines(config: Glm4vMoeConfig, name: str) -> Iterator[str]:
    """The table for one config, a line at a time; `name` heads it."""
    plain = measure(config, None)
    context = footprint_of(config, 0).request.context
    yield f"{name}, {plain.parameters:,} weights:"
    yield (
        f"{'recipe':<10} {'bits/weight':>11} {'size':>9} {'read/token':>10} "
        f"{'smallest Mac':>12}  what it is"
    )
    yield _line(config, None, "(none)", "as it is, in bfloat16")
    for recipe in RECIPES.values():
        yield _line(config, recipe, recipe.name, recipe.summary)
    yield (
        f"Smallest Mac: the first whose GPU has room for a context of {context:,} "
        "tokens and a picture,"
    )
    yield "with two thirds (from 48 GB on three quarters) of the memory as its share."


def _line(
    config: Glm4vMoeConfig, recipe: Recipe | None, name: str, summary: str
) -> str:
    sizes = measure(config, recipe)
    fitting = [
        item.machine
        for item in verdicts(footprint_of(config, sizes.total_bytes))
        if item.fits == "yes"
    ]
    mac = f"{fitting[0].memory >> 30} GB" if fitting else "none"
    return (
        f"{name:<10} {sizes.bits_per_weight:>11.2f} {_size(sizes.total_bytes):>9} "
        f"{_size(sizes.bytes_per_token):>10} {mac:>12}  {summary}"
    )


def _size(nbytes: int) -> str:
    if nbytes < 1e9:
        return f"{nbytes / 1e6:,.2f} MB"
    return f"{nbytes / 1e9:,.1f} GB" if nbytes >= 1e10 else f"{nbytes / 1e9:,.2f} GB"
