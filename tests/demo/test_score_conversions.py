"""What bits cost: the table, and how far distributions are apart."""

import numpy as np
import pytest
from demo_training.lessons import SCORED
from demo_training.own_answering import OwnAnswerer
from score_conversions import Column, divergence, log_probabilities, table, told
from score_demo import questions


@pytest.fixture(scope="module")
def source(demo):
    return OwnAnswerer(*demo)


def test_columns_are_recipes_and_rows_are_kinds():
    right = dict.fromkeys(SCORED, 20)
    columns = {
        "bf16": Column(right, 0.0),
        "2bit": Column(right | {"page": 5, "box": 0}, 1.23456),
    }
    head, _, *lines, total, apart = table(columns, 20).splitlines()
    assert head == "| question | bf16 | 2bit |"
    assert [line.split(" | ")[0].strip("| ") for line in lines] == list(SCORED)
    assert "| page | 100 | 25 |" in lines
    share = 100 * (20 * len(SCORED) - 35) / (20 * len(SCORED))
    assert total == f"| **all** | 100 | {share:.0f} |"
    assert apart == "| divergence, nats | 0.0000 | 1.2346 |"


def test_probabilities_are_of_each_token_of_question_and_answer(source):
    (question,) = questions("describe", count=1)
    logs = log_probabilities(source, told(question))
    assert len(logs) > len(question.turns[-1].answer.split())
    assert np.allclose(np.exp(logs).sum(-1), 1, atol=1e-4)


def test_a_model_is_apart_from_fewer_bits_but_not_from_itself(source, quantised_demo):
    other = OwnAnswerer(*quantised_demo)
    assert divergence(source, source, count=1, kinds=["describe"]) == 0
    assert 0 < divergence(source, other, count=1, kinds=["describe"]) < 5
