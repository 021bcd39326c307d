"""The config.json of the output, in the spellings of every reader.

Knows configs and MLX's quantization table; knows no files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..config import Glm4vMoeConfig
from ..model.weights import module_of
from ..parameters.recipes import Scheme
from ..parameters.shapes import size_of


def output_config(
    config: Glm4vMoeConfig,
    shapes: Mapping[str, tuple[int, ...]],
    schemes: Mapping[str, Scheme | None],
    *,
    dtype: str,
) -> dict[str, Any]:
    """A converted model's config.json: older and newer spellings side by side.

    transformers 5 reads `rope_parameters` and `dtype`; mlx-vlm 0.7 wants `rope_theta`,
    `rope_scaling`, `partial_rotary_factor` and `use_qk_norm` in the text's table.
    """
    data = config.to_dict()
    for name in ("quantization", "quantization_config"):
        data.pop(name, None)
    text = data["text_config"] = dict(data["text_config"])
    text.pop("quantization_config", None)
    text.setdefault("use_qk_norm", False)
    if "num_nextn_predict_layers" in text:
        text["num_nextn_predict_layers"] = 0  # those layers are left out
    text["dtype"] = data["dtype"] = dtype
    vision = data["vision_config"] = dict(data["vision_config"])
    vision["model_type"] = "glm4v_moe_vision"
    vision.pop("dtype", None)
    if table := quantization_table(shapes, schemes):
        data["quantization"] = table
        data["quantization_config"] = table
    return dict(sorted(data.items()))


def quantization_table(
    shapes: Mapping[str, tuple[int, ...]], schemes: Mapping[str, Scheme | None]
) -> dict[str, Any]:
    """MLX's table: the scheme of most numbers, and an entry for every other module."""
    numbers: Counter[Scheme] = Counter()
    for key, scheme in schemes.items():
        if scheme is not None:
            numbers[scheme] += size_of(shapes[key])
    if not numbers:
        return {}
    ((usual, _),) = numbers.most_common(1)
    table: dict[str, Any] = dict(usual.entry())
    for key, scheme in schemes.items():
        if scheme is not None and scheme != usual:
            table[module_of(key)] = scheme.entry()
    return table
