"""Answers with streamed experts are those with resident ones, stops or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.loading import load_model
from tests.checkpoint_forms import mlx_layout, parameters_of, write_folder
from tests.generation.fakes import CONFIG, make_prompt
from tests.generation.small_model import finished, make_model, tokens

EXPERTS, CHOSEN, LAYERS = 12, 2, 2
TEXT = replace(CONFIG.text_config, n_routed_experts=EXPERTS)
EXPERT_BYTES = 3 * TEXT.hidden_size * TEXT.moe_intermediate_size * 4
PROMPTS = (
    make_prompt([3, 5, 7], ("image", 1, (4, 4)), [2, 9]),
    make_prompt([3, 5, 7], ("image", 1, (4, 4)), [2, 9, 4, 4, 8], ("video", 2, (4, 6))),
    make_prompt([8, *range(1, 60)]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = replace(CONFIG, text_config=TEXT)
    stored = mlx_layout(parameters_of(make_model(config)))
    for name, array in stored.items():
        if name.endswith("mlp.gate.weight"):
            stored[name] = mx.random.normal(array.shape, key=mx.random.key(len(name)))
    folder = tmp_path_factory.mktemp("small")
    return write_folder(folder, config.to_dict(), stored, format="mlx")


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[list[int]]:
    model = load_model(folder)
    return [tokens(model, prompt) for prompt in PROMPTS]


@settings(max_examples=15, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from(range(len(PROMPTS))), st.none() | st.integers(0, 9)),
        min_size=1,
        max_size=5,
    ),
    slots=st.integers(CHOSEN, EXPERTS - 1),
)
def test_conversations_with_stops_anywhere(
    folder: Path,
    answers: list[list[int]],
    turns: list[tuple[int, int | None]],
    slots: int,
):
    model: Any = load_model(folder, expert_memory=slots * EXPERT_BYTES * LAYERS)
    assert model.expert_source is not None
    cache = PromptCache(model)
    for number, patience in turns:
        asked = 0

        def should_stop(patience: int | None = patience) -> bool:
            nonlocal asked
            asked += 1
            return patience is not None and asked > patience

        got = tokens(
            model,
            PROMPTS[number],
            cache=cache,
            prefill_step_size=5,
            should_stop=should_stop,
        )
        assert got == answers[number][: len(got)]
        assert patience is not None or got == answers[number]


def test_usage_tells_what_was_read(folder: Path):
    model: Any = load_model(folder, expert_memory=4 * EXPERT_BYTES * LAYERS)
    usage = finished(model, PROMPTS[2]).usage
    prompt, answer = usage.prompt_experts, usage.answer_experts
    assert prompt is not None
    assert answer is not None
    # 61 tokens choose nearly all of them, in one piece, each read once.
    assert prompt.bytes_read == prompt.read * EXPERT_BYTES
    assert EXPERTS < prompt.read <= EXPERTS * LAYERS
    steps = usage.generated_tokens - 1  # the last one is not fed
    assert answer.chosen == steps * CHOSEN * LAYERS
    assert usage.expert_bytes_per_token == answer.bytes_read / steps
    assert 0 < answer.hit_rate < 1
    assert answer.bandwidth > 0


def test_resident_models_have_nothing_to_tell(folder: Path):
    usage = finished(load_model(folder), PROMPTS[0]).usage
    assert usage.prompt_experts is None
    assert usage.expert_bytes_per_token == 0.0


def test_a_stop_during_a_prompt_comes_after_one_layer(folder: Path):
    """However little arithmetic there is, a layer's reads may take long."""
    model: Any = load_model(folder, expert_memory=4 * EXPERT_BYTES * LAYERS)
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    tokens(model, PROMPTS[2], should_stop=should_stop)
    # Before the piece, after the dense layer, after the first with experts.
    assert 0 < model.expert_source.traffic.read <= EXPERTS
