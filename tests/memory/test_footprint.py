"""The sum: published sizes restated, what the parts depend on, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mlx_glm45v.memory import CPU, METAL, Request, estimate_footprint
from mlx_glm45v.memory.formulas import kv_token_bytes
from tests.memory.configs import affine, glm45v

GB = 1e9


def footprint(**changes: Any):
    given: dict[str, Any] = {"context": 32768, **changes}
    return estimate_footprint(glm45v(), affine(4), **given)


def test_a_token_of_glm45v_takes_188416_bytes_of_cache():
    assert kv_token_bytes(glm45v().text_config, None, METAL) == 188_416


@pytest.mark.parametrize(
    ("context", "gigabytes"), [(4096, 0.77), (32768, 6.17), (65536, 12.35)]
)
def test_the_cache_of_a_context_is_what_the_facts_say(context: int, gigabytes: float):
    assert footprint(context=context).kv / GB == pytest.approx(gigabytes, abs=0.005)


def test_the_largest_picture_makes_50_megabytes_of_features():
    assert footprint(images=1).vision_features == 6144 * 4096 * 2
    assert footprint(images=3).vision_features == 3 * 6144 * 4096 * 2


def test_a_long_clip_makes_the_tokens_that_its_budget_allows():
    assert Request(context=1, video_seconds=10).video_tokens == 26_910
    assert Request(context=1, video_seconds=0.5).video_tokens == 2691
    assert Request(context=1, video_seconds=600).video_tokens == 30_000


def test_the_total_counts_pictures_and_prompt_one_after_the_other():
    found = footprint(images=1)
    assert found.vision_workspace > found.activations > 0
    assert found.total == (
        found.weights
        + found.kv
        + found.vision_features
        + found.vision_workspace
        + found.reserve
    )


def test_without_media_there_is_nothing_of_vision():
    found = footprint()
    assert found.vision_features == found.vision_workspace == 0
    assert found.workspace == found.activations


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"context": 65536}, "kv"),
        ({"images": 2}, "vision_features"),
        ({"images": 2}, "vision_workspace"),
        ({"video_seconds": 9.0}, "vision_workspace"),
        ({"prefill_step_size": 4096}, "activations"),
        ({"backend": CPU}, "weights"),
        ({"backend": CPU}, "kv"),
    ],
)
def test_more_asked_takes_more(changes: dict[str, Any], part: str):
    less = footprint(images=1)
    more = footprint(**{"images": 1, **changes})
    assert getattr(more, part) > getattr(less, part)


def test_a_cache_of_8_bits_is_a_little_over_half():
    ratio = footprint(kv_bits=8).kv / footprint().kv
    assert ratio == (8 + 2 * 16 / 64) / 16


def test_sizes_from_headers_go_before_the_table():
    assert footprint(weights=10**9).weights == 10**9


def test_another_request_keeps_the_weights():
    found = footprint(weights=10**9).with_request(context=4096)
    assert (found.weights, found.request.context) == (10**9, 4096)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context": 65537}, "65,537 tokens is more than the model's 65,536"),
        ({"context": 0}, "context is 0"),
        ({"images": -1}, "images is -1"),
        ({"images": 6}, "36,864|6 pictures of 6,144 tokens"),
        ({"kv_bits": 3}, "kv_bits is 3"),
        ({"prefill_step_size": 0}, "prefill_step_size is 0"),
    ],
)
def test_a_request_that_the_model_cannot_take_is_refused(
    changes: dict[str, Any], said: str
):
    with pytest.raises(ValueError, match=said):
        footprint(**changes)
