"""The live reference: what is stored still holds, and more than what is stored.

Runs where torch and transformers are installed.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from mlx_glm45v.config import (  # noqa: E402
    Glm4vMoeConfig,
    Glm4vMoeTextConfig,
    Glm4vMoeVisionConfig,
)
from mlx_glm45v.model.rope import RotaryEmbedding  # noqa: E402
from tests.parity.cases import (  # noqa: E402
    BASE,
    BOTH,
    CASES,
    ONE_IMAGE,
    PAIRS,
    Case,
    Image,
    Prompt,
    Text,
    Video,
    rope,
)
from tests.parity.ours import assert_close, inputs, model_of, real_rows  # noqa: E402
from tools.make_parity import arguments, build, run  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


OTHERS = [
    Prompt(
        "other images",
        ((Image(2, 2), Image(2, 12), Text(1), Image(8, 8), Text(3)),),
    ),
    Prompt("other video", ((Video(4, 2, 6), Video(1, 8, 4), Text(9)),)),
    Prompt(
        "other rows",
        ((Video(2, 4, 4), Text(3)), (Text(2),), (Text(1), Video(1, 2, 2))),
        "right",
    ),
]


@pytest.mark.parametrize(
    ("case", "prompt"),
    [*PAIRS, *((BASE, other) for other in OTHERS)],
    ids=lambda value: value.name,
)
def test_logits_equal_the_live_reference(case: Case, prompt: Prompt) -> None:
    theirs = run(build(case), case, prompt)["logits"]
    ours = model_of(case.name)(**inputs(case, prompt)).logits
    assert_close(real_rows(prompt, ours), theirs)


def test_the_reference_fails_on_images_and_videos_together() -> None:
    """Which is why its part of that comparison is assembled."""
    given = arguments(BASE, BOTH)
    with pytest.raises(Exception, match="do not match"):
        build(BASE)(**given)


@pytest.mark.parametrize("name", ["base", "groups", "linear", "yarn", "llama3"])
def test_greedy_answers_are_the_references_tokens(name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    reference = build(case)
    given = arguments(case, ONE_IMAGE)
    theirs = reference.generate(
        **given, max_new_tokens=12, do_sample=False, eos_token_id=None
    )
    model = model_of(name)
    output = model(**inputs(case, ONE_IMAGE))
    ours: list[int] = []
    while len(ours) < 12:
        ours.append(int(output.logits[0, -1].argmax()))
        output = model(
            mx.array([ours[-1:]]),
            past_key_values=output.past_key_values,
            rope_deltas=output.rope_deltas,
        )
    assert ours == theirs[0, given["input_ids"].shape[1] :].tolist()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Glm4vMoeTextConfig, "Glm4vMoeTextConfig"),
        (Glm4vMoeVisionConfig, "Glm4vMoeVisionConfig"),
        (Glm4vMoeConfig, "Glm4vMoeConfig"),
    ],
)
def test_defaults_are_the_reference_classes_own(ours: type, theirs: str) -> None:
    module = transformers.models.glm4v_moe.configuration_glm4v_moe
    reference = getattr(module, theirs)()
    known = ours()
    skipped = {"text_config", "vision_config", "head_dim", "dtype"}
    names = {item.name for item in fields(ours)} & set(reference.to_dict()) - skipped
    assert len(names) > 5
    for name in names:
        value, wanted = getattr(known, name), getattr(reference, name)
        if name == "rope_parameters":
            continue
        assert value == wanted, name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_config_that_transformers_wrote_is_the_same_model(case: Case) -> None:
    written = transformers.Glm4vMoeConfig(**case.config).to_dict()
    ours, expected = (
        Glm4vMoeConfig.from_dict(table) for table in (written, case.config)
    )
    for part in ("text_config", "vision_config"):
        for item in fields(getattr(ours, part)):
            if item.name in ("extra", "rope_scaling", "dtype"):
                continue
            assert getattr(getattr(ours, part), item.name) == getattr(
                getattr(expected, part), item.name
            ), item.name
    assert ours.text_config.rope_parameters == expected.text_config.rope_parameters
    assert ours.tie_word_embeddings == expected.tie_word_embeddings


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_transformers_reads_the_config_that_we_write(case: Case) -> None:
    ours = Glm4vMoeConfig.from_dict(case.config)
    theirs = transformers.Glm4vMoeConfig(**ours.to_dict())
    again = Glm4vMoeConfig.from_dict(theirs.to_dict())
    assert again.text_config.rope_parameters == ours.text_config.rope_parameters
    assert again.vision_config.rope_theta == ours.vision_config.rope_theta


ROPES: list[dict[str, Any]] = [
    rope("yarn", factor=None, original_max_position_embeddings=128),
    rope("yarn", factor=2.0, beta_fast=100.0, beta_slow=90.0),
    rope("yarn", factor=1.0, original_max_position_embeddings=64),
    rope("yarn", factor=40.0, attention_factor=1.5, rope_theta=50.0),
    rope("llama3", factor=2.0, low_freq_factor=2, high_freq_factor=8),
    rope(
        "longrope",
        factor=4.0,
        original_max_position_embeddings=64,
        short_factor=[1, 1, 1, 1],
        long_factor=[2, 3, 4, 5],
    ),
    rope(
        "longrope",
        attention_factor=1.3,
        short_factor=[1, 1, 1, 1],
        long_factor=[2, 3, 4, 5],
    ),
    rope("dynamic", factor=8.0, partial_rotary_factor=1.0, mrope_section=[4, 2, 2]),
    rope("linear", factor=1.7, partial_rotary_factor=0.75, mrope_section=[2, 2, 2]),
]


@pytest.mark.parametrize("table", ROPES, ids=lambda table: table["rope_type"])
@pytest.mark.parametrize("length", [10, 600, 5000])
def test_more_rotary_frequencies(table: dict[str, Any], length: int) -> None:
    case = Case("rope", text={"rope_parameters": table})
    module = transformers.models.glm4v_moe.modeling_glm4v_moe
    config = transformers.Glm4vMoeConfig(**case.config).text_config
    rotary = module.Glm4vMoeTextRotaryEmbedding(config)
    cos, _ = rotary(torch.zeros(1), torch.arange(length)[None, None])
    ours = RotaryEmbedding(Glm4vMoeTextConfig.from_dict(case.config["text_config"]))
    np.testing.assert_allclose(
        np.array(ours.inverse_frequencies(length)), rotary.inv_freq.numpy(), rtol=3e-7
    )
    assert ours.scale == pytest.approx(cos[0, 0, 0].item(), rel=1e-6)
