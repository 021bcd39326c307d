"""Every stage between patches and logits equals the reference's."""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.config.checks import HIDDEN_ACTIVATIONS
from mlx_glm45v.model.activations import ACTIVATIONS
from mlx_glm45v.model.rope import RotaryEmbedding
from tests.parity.cases import (
    BASE,
    CASES,
    IMAGES,
    LENGTHS,
    ONE_IMAGE,
    SAMPLED_GRIDS,
    VALUES,
    Case,
    Prompt,
)
from tests.parity.ours import (
    assert_close,
    inputs,
    model_of,
    real_rows,
    stored,
    values,
)

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_prompt = pytest.mark.parametrize(
    "prompt", [ONE_IMAGE, IMAGES], ids=lambda prompt: prompt.name
)


def pixels_of(prompt: Prompt) -> mx.array:
    return inputs(BASE, prompt)["pixel_values"]


def in_order(prompt: Prompt, states: list[mx.array], block: int) -> np.ndarray:
    """States of batches (sizes as they appeared) after `block` -> as in the prompt."""
    depth = BASE.config["vision_config"]["depth"]
    by_size = [iter(batch) for batch in states[block::depth]]
    sizes = list(dict.fromkeys(prompt.image_grid_thw))
    rows = [next(by_size[sizes.index(grid)]) for grid in prompt.image_grid_thw]
    return np.concatenate([np.array(row) for row in rows])


@each_prompt
def test_patch_embedding(prompt: Prompt) -> None:
    ours = model_of("base").vision_tower.patch_embed(pixels_of(prompt))
    assert_close(ours, values(BASE, prompt, "patch embedding"))


@each_prompt
def test_position_embedding(prompt: Prompt) -> None:
    embeddings = model_of("base").vision_tower.embeddings
    ours = mx.concatenate([embeddings(h, w) for _, h, w in prompt.image_grid_thw])
    assert_close(ours, values(BASE, prompt, "position embedding"))


@pytest.mark.parametrize(("height", "width"), SAMPLED_GRIDS)
def test_position_table_is_sampled_bicubically_up_to_its_border(
    height: int, width: int
) -> None:
    ours = model_of("base").vision_tower.embeddings(height, width)
    theirs = stored("base")[f"sampled positions/{height}x{width}"]
    assert_close(ours, theirs, 1e-5)


@each_prompt
def test_vision_blocks_and_features(prompt: Prompt) -> None:
    tower, states = model_of("base").vision_tower, []
    features = tower(pixels_of(prompt), prompt.image_grid_thw, on_block=states.append)
    for block in range(len(tower.blocks)):
        theirs = values(BASE, prompt, f"block {block}")
        assert_close(in_order(prompt, states, block), theirs)
    assert_close(features, values(BASE, prompt, "features"))


@each_prompt
def test_downsampling_and_merger(prompt: Prompt) -> None:
    tower = model_of("base").vision_tower
    normed = tower.post_layernorm(mx.array(values(BASE, prompt, "block 2")))
    merged = tower.downsample_windows(normed[None])[0]
    assert_close(merged, values(BASE, prompt, "downsample"))
    assert_close(tower.merger(merged), values(BASE, prompt, "features"))


@pytest.mark.parametrize("prompt", BASE.prompts, ids=lambda prompt: prompt.name)
def test_merged_embeddings_and_decoder_layers(prompt: Prompt) -> None:
    output = model_of("base")(**inputs(BASE, prompt), output_hidden_states=True)
    assert len(output.hidden_states) == 4
    for index, states in enumerate(output.hidden_states):
        theirs = values(BASE, prompt, f"hidden {index}")
        assert_close(real_rows(prompt, states), theirs)


def test_attention_weights() -> None:
    output = model_of("base")(**inputs(BASE, ONE_IMAGE), output_attentions=True)
    for index, weights in enumerate(output.attentions):
        assert_close(weights, values(BASE, ONE_IMAGE, f"attention {index}"))


@pytest.mark.parametrize("case_name", ["base", "groups"])
def test_router_logits(case_name: str) -> None:
    (case,) = (case for case in CASES if case.name == case_name)
    output = model_of(case_name)(**inputs(case, ONE_IMAGE), output_router_logits=True)
    dense = case.config["text_config"].get("first_k_dense_replace", 1)
    assert len(output.router_logits) == 3 - dense
    for index, logits in enumerate(output.router_logits):
        assert_close(logits, values(case, ONE_IMAGE, f"gate {index + dense} logits"))


@pytest.mark.parametrize("case_name", ["base", "groups"])
def test_router_choices(case_name: str) -> None:
    (case,) = (case for case in CASES if case.name == case_name)
    for index, layer in enumerate(model_of(case_name).language_model.model.layers[1:]):
        states = mx.array(values(case, ONE_IMAGE, f"gate {index + 1} input"))
        _, weights, indices = layer.mlp.gate(states)
        order = mx.argsort(indices, axis=-1)
        chosen = mx.take_along_axis(indices, order, axis=-1)
        theirs = values(case, ONE_IMAGE, f"gate {index + 1} indices")
        np.testing.assert_array_equal(np.array(chosen), theirs)
        ordered = mx.take_along_axis(weights, order, axis=-1)
        assert_close(ordered, values(case, ONE_IMAGE, f"gate {index + 1} weights"))


@each_case
@pytest.mark.parametrize("length", LENGTHS)
def test_rotary_frequencies(case: Case, length: int) -> None:
    rotary = RotaryEmbedding(model_of(case.name).config.text_config)
    theirs = stored(case.name)[f"inverse frequencies/{length}"]
    ours = np.array(rotary.inverse_frequencies(length))
    # A relative error is multiplied with the position.
    np.testing.assert_allclose(ours, theirs, rtol=2e-7)
    scale = stored(case.name)[f"cosine scale/{length}"].item()
    assert rotary.scale == pytest.approx(scale, rel=1e-7)


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Without a second of the C++ compiler for each function."""
    mx.disable_compile()
    yield
    mx.enable_compile()


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_activations(name: str) -> None:
    with np.load(VALUES / "activations.npz") as file:
        ours = ACTIVATIONS[name](mx.array(file["x"]))
        np.testing.assert_allclose(np.array(ours), file[name], rtol=1e-5, atol=2e-6)


def test_every_supported_activation_is_computed() -> None:
    assert set(ACTIVATIONS) == set(HIDDEN_ACTIVATIONS)
