"""Our model with a case's weights, and the stored values it has to reproduce."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import mlx.core as mx
import numpy as np

from mlx_glm45v.config import Glm4vMoeConfig
from mlx_glm45v.model.glm4v_moe import Glm4vMoeForConditionalGeneration
from mlx_glm45v.model.weights import targets
from tests.parity.cases import Case, Prompt, file_of, make_weight


@cache
def stored(case_name: str) -> dict[str, np.ndarray]:
    from tests.parity.cases import CASES

    (case,) = (case for case in CASES if case.name == case_name)
    with np.load(file_of(case)) as file:
        return {name: file[name] for name in file.files}


def values(case: Case, prompt: Prompt, stage: str) -> np.ndarray:
    return stored(case.name)[f"{prompt.name}/{stage}"]


def load_weights(
    model: Glm4vMoeForConditionalGeneration, shapes: dict[str, list[int]]
) -> None:
    """Fill `model`, strictly, from tensors named and shaped like Hugging Face's."""
    parameters: dict[str, mx.array] = {}
    for name, shape in shapes.items():
        array = make_weight(name, shape)
        for target in targets(name, layout="hf") or ():
            part = array if target.half is None else np.split(array, 2, 1)[target.half]
            if target.axes is not None:
                part = part.transpose(target.axes)
            assert target.expert is None, "transformers 5 holds its experts fused"
            if part.size:
                parameters[target.key] = mx.array(np.ascontiguousarray(part))
    model.load_weights(list(parameters.items()), strict=True)


@cache
def model_of(case_name: str) -> Glm4vMoeForConditionalGeneration:
    from tests.parity.cases import CASES

    (case,) = (case for case in CASES if case.name == case_name)
    return build(case)


def build(case: Case) -> Glm4vMoeForConditionalGeneration:
    model = Glm4vMoeForConditionalGeneration(Glm4vMoeConfig.from_dict(case.config))
    shapes = json.loads(stored(case.name)["shapes"].tobytes())
    load_weights(model, shapes)
    return model


def inputs(case: Case, prompt: Prompt) -> dict[str, Any]:
    """The forward arguments of a prompt."""
    given: dict[str, Any] = {"input_ids": mx.array(prompt.input_ids)}
    if prompt.padded:
        given["attention_mask"] = mx.array(prompt.attention_mask)
    for kind, suffix, grids in (
        ("image", "", prompt.image_grid_thw),
        ("video", "_videos", prompt.video_grid_thw),
    ):
        if grids:
            given[f"pixel_values{suffix}"] = mx.array(
                prompt.pixels(kind, case.patch_length)
            )
            given[f"{kind}_grid_thw"] = grids
    return given


def real_rows(prompt: Prompt, array: mx.array) -> np.ndarray:
    """(B, L, ...) -> the rows of unpadded tokens."""
    return np.array(array)[prompt.attention_mask.astype(bool)]


def assert_close(ours: Any, theirs: np.ndarray, tolerance: float = 1e-4) -> None:
    """Largest difference within `tolerance` of the reference's standard deviation."""
    ours = np.array(ours)
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()
    difference = float(np.abs(ours - theirs).max())
    assert difference <= tolerance * float(theirs.std()), (
        f"off by {difference:.3g} where the deviation is {theirs.std():.3g}"
    )
