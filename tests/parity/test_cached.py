"""A prompt in pieces gives what one pass gives: chunks, cached tokens, padded rows."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_glm45v.model.placeholders import find_placeholders, rope_index
from tests.parity.cases import (
    BASE,
    BOTH,
    CASES,
    PADDED_LEFT,
    PADDED_RIGHT,
    Case,
    Prompt,
)
from tests.parity.ours import assert_close, inputs, model_of, real_rows, values

FIXED = ("base", "linear", "yarn", "yarn with mscale", "llama3")
ANY_LENGTH = ("dynamic", "longrope")
PAIRS = [
    (case, case.prompts[-1] if case is not BASE else BOTH)
    for case in CASES
    if case.name in FIXED + ANY_LENGTH
]
each_pair = pytest.mark.parametrize(
    ("case", "prompt"), PAIRS, ids=lambda value: value.name
)


def with_positions(case: Case, prompt: Prompt) -> tuple[mx.array, mx.array, int]:
    """Embeddings (1, L, D), positions (3, 1, L) and the delta of a prompt."""
    model = model_of(case.name)
    given = inputs(case, prompt)
    output = model(**given, output_hidden_states=True, use_cache=False)
    _, positions, deltas = placed(case, prompt)
    assert output.rope_deltas.tolist() == deltas.tolist()
    return output.hidden_states[0], positions, deltas.item()


def placed(case: Case, prompt: Prompt) -> tuple[mx.array, mx.array, mx.array]:
    ids = mx.array(prompt.input_ids)
    images, videos = prompt.image_grid_thw, prompt.video_grid_thw
    found = find_placeholders(
        lambda token: ids == token,
        model_of(case.name).config,
        images=sum(h * w // 4 for _, h, w in images) if images else None,
        videos=sum(t * h * w // 4 for t, h, w in videos) if videos else None,
    )
    frames = [(1, h, w) for t, h, w in [*images, *videos] for _ in range(t)]
    return ids, *rope_index(found, frames, merge=2)


@each_pair
@pytest.mark.parametrize("chunk", [4, 16])
def test_prefill_in_chunks_equals_one_pass(
    case: Case, prompt: Prompt, chunk: int
) -> None:
    model = model_of(case.name)
    embeds, positions, _ = with_positions(case, prompt)
    cache = model.make_cache()
    length = embeds.shape[1]
    pieces = [
        model(
            inputs_embeds=embeds[:, start : start + chunk],
            position_ids=positions[..., start : start + chunk],
            past_key_values=cache,
            rope_length=int(positions.max()) + 1,
        ).logits
        for start in range(0, length, chunk)
    ]
    ours = real_rows(prompt, mx.concatenate(pieces, axis=1))
    assert_close(ours, values(case, prompt, "logits"))


@each_pair
def test_decoding_from_the_cache_equals_one_pass(case: Case, prompt: Prompt) -> None:
    """The last tokens one by one, placed by the cache's length and the rope delta."""
    model = model_of(case.name)
    embeds, positions, delta = with_positions(case, prompt)
    tail = 5  # text
    cache = model.make_cache()
    reach = int(positions.max()) + 1
    model(
        inputs_embeds=embeds[:, :-tail],
        position_ids=positions[..., :-tail],
        past_key_values=cache,
        rope_length=reach,
    )
    ids = mx.array(prompt.input_ids)[:, -tail:]
    steps = [
        model(
            ids[:, index : index + 1],
            past_key_values=cache,
            rope_deltas=delta,
            rope_length=reach,
        ).logits
        for index in range(tail)
    ]
    ours = np.array(mx.concatenate(steps, axis=1))[0]
    assert_close(ours, values(case, prompt, "logits")[-tail:])


@pytest.mark.parametrize("case_name", ANY_LENGTH)
def test_lengthwise_frequencies_follow_the_whole_request(case_name: str) -> None:
    """Without `rope_length` a first chunk cannot know how long the request gets."""
    (case,) = (case for case in CASES if case.name == case_name)
    prompt = case.prompts[1]
    model, ids = model_of(case_name), mx.array(prompt.input_ids)
    theirs = values(case, prompt, "logits")

    def last_logits(**options: int) -> np.ndarray:
        cache = model.make_cache()
        model(ids[:, :10], past_key_values=cache, **options)
        return np.array(model(ids[:, 10:], past_key_values=cache, **options).logits)[0]

    assert_close(last_logits(rope_length=ids.shape[1]), theirs[10:])
    assert np.abs(last_logits() - theirs[10:]).max() > 1e-3 * theirs.std()


@pytest.mark.parametrize(
    "prompt", [PADDED_LEFT, PADDED_RIGHT], ids=lambda prompt: prompt.name
)
def test_padded_rows_go_on_like_rows_of_their_own(prompt: Prompt) -> None:
    """A batch with pictures is continued by masks and deltas alone."""
    model, more = model_of("base"), mx.array([[7, 8, 9], [20, 21, 22], [33, 34, 35]])
    batch = model(**inputs(BASE, prompt))
    mask = mx.array(prompt.attention_mask)
    together = []
    for step in range(more.shape[1]):
        mask = mx.concatenate([mask, mx.ones((3, 1), mask.dtype)], axis=1)
        output = model(
            more[:, step : step + 1],
            attention_mask=mask,
            past_key_values=batch.past_key_values,
            rope_deltas=batch.rope_deltas,
        )
        together.append(output.logits)
    for row, parts in enumerate(prompt.rows):
        ids = prompt.row_ids(row)
        own = Prompt(f"{prompt.name}.{row}", (parts,))
        given = inputs(BASE, own)
        given["input_ids"] = mx.concatenate([mx.array([ids]), more[row][None]], axis=1)
        if "pixel_values" in given:
            given["pixel_values"] = rows_pixels(prompt, row)
        alone = np.array(model(**given).logits)[0, -3:]
        assert_close(np.array(mx.concatenate(together, axis=1))[row], alone)


def rows_pixels(prompt: Prompt, row: int) -> mx.array:
    counts = [
        sum(p.height * p.width for p in parts if hasattr(p, "height"))
        for parts in prompt.rows
    ]
    start = sum(counts[:row])
    pixels = prompt.pixels("image", BASE.patch_length)
    return mx.array(pixels[start : start + counts[row]])
