"""Answers with streamed experts are those with resident ones, stops or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_glm45v.generation.cache import PromptCache
from mlx_glm45v.loading import load_model
from tests.checkpoint_forms import mlx_layout, parameters_of, write_folder
from tests.generation.fakes import CONFIG, make_prompt
from tests.generation.small_model import make_model, tokens

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
