"""What fits where, and what the refusal says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_glm45v.errors import NotEnoughMemory
from mlx_glm45v.memory import (
    METAL,
    Footprint,
    check_fits,
    estimate_footprint,
    largest_context,
    mac,
    smallest_footprint,
    verdicts,
    weight_sizes,
)
from mlx_glm45v.memory.fitting import verdict
from mlx_glm45v.memory.report import verdict_as_dict, verdict_line
from tests.memory.configs import affine, glm45v

FOUR_BITS = estimate_footprint(glm45v(), affine(4), context=65536, images=3)


def refusal(footprint: Footprint, memory: int) -> str:
    with pytest.raises(NotEnoughMemory) as caught:
        check_fits(footprint, mac(memory), name="GLM")
    return str(caught.value)


def test_what_fits_passes():
    check_fits(FOUR_BITS, mac(128))


def test_the_refusal_shows_the_sum():
    first, *rows = refusal(FOUR_BITS, 96).splitlines()
    assert first.startswith("GLM needs 80.9 GB, a Mac with 96 GB offers 77.3 GB")
    assert rows[: rows.index("what would fit:")] == [
        "  weights            61.9 GB",
        "  context            12.3 GB  keys and values, 65,536 tokens",
        "  vision features     0.2 GB  18,432 tokens",
        "  vision workspace    4.4 GB  at most",
        "  reserve             2.1 GB  the process and spare buffers",
        "  total              80.9 GB",
    ]


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        (96, "these weights with a context of 46,080 tokens and 3 pictures"),
        (96, "a 3bit conversion (48.6 GB) with a context of 65,536 tokens and 3"),
        (96, "sudo sysctl iogpu.wired_limit_mb=77"),
        (96, "have frozen"),
        (64, "a mac-64gb conversion (42.3 GB)"),
        (32, "none of the converter's recipes"),
        (32, "--force"),
    ],
)
def test_the_refusal_says_what_would_fit(memory: int, said: str):
    assert said in refusal(FOUR_BITS, memory)


def test_nothing_is_proposed_that_does_not_fit():
    said = refusal(FOUR_BITS, 64)
    assert "these weights" not in said
    assert "wired_limit" not in said
    assert "4bit conversion" not in said


def test_pictures_give_way_when_context_alone_does_not_do():
    least = FOUR_BITS.with_request(images=0, context=1024).total
    squeezed = replace(mac(96), limit=least, raised_limit=least)
    with pytest.raises(NotEnoughMemory) as caught:
        check_fits(FOUR_BITS, squeezed)
    assert "these weights with a context of 1,024 tokens\n" in str(caught.value)


def test_verdicts_for_macs_of_all_sizes():
    found = verdicts(FOUR_BITS.with_request(context=16384, images=1))
    assert {v.machine.memory >> 30: v.fits for v in found} == {
        **dict.fromkeys((16, 24, 32, 36, 48, 64), "no"),
        **dict.fromkeys((96, 128, 192, 256, 512), "yes"),
    }


def test_a_limit_raised_by_hand_is_a_verdict_of_its_own():
    footprint = estimate_footprint(glm45v(), affine(8), context=8192)
    (found,) = verdicts(footprint, memory_gb=[128])
    assert (found.fits, found.largest_context) == ("raised", 0)


def test_the_table_of_the_readme():
    """Weights and 8 GB more on a GPU's usual share."""
    least = {}
    for bits in (3, 4, 6, 8):
        footprint = estimate_footprint(glm45v(), affine(bits), context=8192, images=1)
        fits = [v for v in verdicts(footprint) if v.fits == "yes"]
        least[bits] = fits[0].machine.memory >> 30
    assert least == {3: 96, 4: 96, 6: 128, 8: 192}


@given(limit=st.integers(60 * 10**9, 90 * 10**9))
def test_the_largest_context_fits_and_the_next_does_not(limit: int):
    context = largest_context(FOUR_BITS, limit)
    if context:
        assert FOUR_BITS.with_request(context=context).total <= limit
    following = max(context + 1024, 18 * 1024)
    if following <= 65536:
        assert FOUR_BITS.with_request(context=following).total > limit


def test_a_verdict_on_streaming_says_what_reading_allows():
    sizes = weight_sizes(glm45v(), affine(2))
    footprint = smallest_footprint(glm45v(), weights=sizes.total, backend=METAL)
    found = verdict(footprint, mac(32), sizes)
    assert found.fits == "streamed"
    assert verdict_line(found, footprint).endswith(
        "experts streamed, 12.9 GB of them (42%) resident: 2.1-5.4 tok/s at 2.5-7 "
        "GB/s, arithmetic"
    )
    assert verdict_as_dict(found)["experts"]["resident"] == found.experts.resident
    assert verdict(footprint, mac(32)).fits != "streamed"
    on_48 = verdict(footprint, mac(48), sizes)
    assert (on_48.fits, on_48.whole_if_raised) == ("streamed", True)
    assert verdict_line(on_48, footprint).endswith("iogpu.wired_limit_mb raised")
