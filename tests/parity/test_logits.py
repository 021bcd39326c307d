"""Logits, loss and rope deltas equal the reference's, for every tiny model and prompt."""

from __future__ import annotations

import pytest

from tests.parity.cases import PAIRS, Case, Prompt
from tests.parity.ours import assert_close, inputs, model_of, real_rows, values

each_pair = pytest.mark.parametrize(
    ("case", "prompt"), PAIRS, ids=lambda value: value.name
)


@each_pair
def test_logits_equal_the_reference(case: Case, prompt: Prompt) -> None:
    output = model_of(case.name)(**inputs(case, prompt))
    assert_close(real_rows(prompt, output.logits), values(case, prompt, "logits"))
