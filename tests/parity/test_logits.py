"""Logits, loss and positions equal the reference's for every tiny model and prompt."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.model.placeholders import find_placeholders, rope_index
from tests.parity.cases import BASE, PAIRS, Case, Prompt
from tests.parity.ours import (
    assert_close,
    inputs,
    model_of,
    real_rows,
    stored,
    values,
)

each_pair = pytest.mark.parametrize(
    ("case", "prompt"), PAIRS, ids=lambda value: value.name
)
with_media = pytest.mark.parametrize(
    "prompt",
    [p for p in BASE.prompts if f"{p.name}/positions" in stored("base")],
    ids=lambda prompt: prompt.name,
)


@each_pair
def test_logits_equal_the_reference(case: Case, prompt: Prompt) -> None:
    output = model_of(case.name)(**inputs(case, prompt))
    assert_close(real_rows(prompt, output.logits), values(case, prompt, "logits"))
    if (deltas := stored(case.name).get(f"{prompt.name}/rope_deltas")) is not None:
        assert output.rope_deltas.tolist() == deltas.tolist()


@pytest.mark.parametrize("prompt", BASE.prompts[:5], ids=lambda prompt: prompt.name)
def test_loss_is_the_plain_cross_entropy_of_the_next_token(prompt: Prompt) -> None:
    given = inputs(BASE, prompt)
    labels = prompt.input_ids.copy()
    labels[:, ::3] = -100
    loss = model_of("base")(**given, labels=mx.array(labels)).loss
    assert loss.item() == pytest.approx(values(BASE, prompt, "loss").item(), rel=1e-5)


@with_media
def test_positions_equal_the_reference(prompt: Prompt) -> None:
    ids = mx.array(prompt.input_ids)
    config = model_of("base").config
    images, videos = prompt.image_grid_thw, prompt.video_grid_thw
    found = find_placeholders(
        lambda token: ids == token,
        config,
        images=sum(h * w // 4 for _, h, w in images) if images else None,
        videos=sum(t * h * w // 4 for t, h, w in videos) if videos else None,
    )
    frames = [(1, h, w) for t, h, w in [*images, *videos] for _ in range(t)]
    positions, deltas = rope_index(found, frames, merge=2)
    np.testing.assert_array_equal(
        np.array(positions), values(BASE, prompt, "positions")
    )
    assert deltas.tolist() == values(BASE, prompt, "rope_deltas").tolist()


def test_another_order_of_images_gives_other_logits() -> None:
    """The comparison would not see a lost order if pictures looked alike."""
    (prompt,) = (p for p in BASE.prompts if p.name == "images of different sizes")
    given = inputs(BASE, prompt)
    pixels = given["pixel_values"]
    given["pixel_values"] = mx.concatenate([pixels[-24:], pixels[24:-24], pixels[:24]])
    theirs = values(BASE, prompt, "logits")
    ours = real_rows(prompt, model_of("base")(**given).logits)
    assert np.abs(ours - theirs).max() > 0.1 * theirs.std()
