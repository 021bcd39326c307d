"""What a source's config says about its quantisation, and whether that can be read.

Knows the tables of compressed-tensors, block FP8 and MLX. Refuses every other one by
name, from the config alone, so that nothing is fetched or written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..parameters.recipes import Scheme

COMPRESSED_TENSORS = "compressed-tensors"
BLOCK_FP8 = "fp8"
# What the `weights` of a config group must say to be FP8 with one scale for each row.
_FP8_BY_ROW = {"num_bits": 8, "type": "float", "strategy": "channel"}
_READABLE = (
    "; readable are the plain release (zai-org/GLM-4.5V), its FP8 releases and MLX "
    "folders"
)


def check_quantization(
    config: Mapping[str, Any], quant_method: str | None, path: Path
) -> None:
    """Raise `CheckpointError` for a quantisation that cannot be read.

    Read are none and MLX's own (`quant_method` None), compressed-tensors with FP8
    weights scaled by row, and `fp8` with scales by block. `path` is the config's, for
    the message.
    """
    if quant_method == COMPRESSED_TENSORS:
        _check_compressed_tensors(_table(config), path)
    elif quant_method == BLOCK_FP8:
        block_size(config, path)
    elif quant_method is not None:
        raise CheckpointError(
            f"{path}: the weights are quantised with {quant_method!r}, which cannot be "
            f"read{_READABLE}"
        )


def block_size(config: Mapping[str, Any], path: Path) -> tuple[int, int]:
    """Rows and columns that share one scale in `quant_method: fp8`."""
    table = _table(config)
    block = table.get("weight_block_size")
    sides = tuple(block) if isinstance(block, list | tuple) else ()
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise CheckpointError(
            f"{path}: quantization_config ({BLOCK_FP8}) has weight_block_size "
            f"{block!r}, two lengths such as [128, 128] are needed{_READABLE}"
        )
    if (fmt := table.get("fmt", "e4m3")) != "e4m3":
        raise CheckpointError(
            f"{path}: quantization_config ({BLOCK_FP8}) has fmt {fmt!r}, only 'e4m3' "
            f"can be read{_READABLE}"
        )
    return sides[0], sides[1]


def mlx_scheme(table: Mapping[str, Any], module: str, path: Path) -> Scheme:
    """The scheme of one module of an MLX folder: its own entry, or the table's.

    Raises `CheckpointError` when MLX has no such scheme.
    """
    entry = table.get(module)
    name = module
    if not isinstance(entry, Mapping):
        entry, name = table, "quantization"
    try:
        return Scheme(entry["bits"], entry["group_size"], entry.get("mode", "affine"))
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: {name} has no readable scheme ({error}); it needs bits, "
            "group_size and mode as MLX writes them"
        ) from error


def _check_compressed_tensors(table: Mapping[str, Any], path: Path) -> None:
    about = f"{path}: quantization_config ({COMPRESSED_TENSORS})"
    if (form := table.get("format")) not in (None, "float-quantized"):
        raise CheckpointError(
            f"{about} has format {form!r}, only 'float-quantized' can be read"
            f"{_READABLE}"
        )
    groups = table.get("config_groups") or {}
    if not isinstance(groups, Mapping):
        raise CheckpointError(f"{about}: config_groups is not a table{_READABLE}")
    for name, group in groups.items():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        weights = weights if isinstance(weights, Mapping) else {}
        for field, wanted in _FP8_BY_ROW.items():
            if weights.get(field) != wanted:
                raise CheckpointError(
                    f"{about}, {name}: weights.{field} is {weights.get(field)!r}, "
                    f"only {wanted!r} can be read{_READABLE}"
                )


def _table(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `quantization_config` with a `quant_method`: at the top or in the text's."""
    text = config.get("text_config")
    for place in (config, text if isinstance(text, Mapping) else {}):
        table = place.get("quantization_config") or {}
        if "quant_method" in table:
            return table
    return {}
