from itertools import pairwise
from random import Random

import numpy as np
import pytest

from mlx_glm45v.demo.combinations import is_held_out
from mlx_glm45v.demo.pages import HEIGHT, WIDTH, random_page
from mlx_glm45v.demo.words import NEVER_SEEN, NEVER_TAUGHT, ON_PAGES


@pytest.mark.parametrize("held_out", [True, False])
def test_words_follow_one_another_as_in_training_or_not(held_out):
    for seed in range(30):
        page = random_page(Random(seed), held_out=held_out)
        kept = [is_held_out("words", *pair) for pair in pairwise(page.words)]
        assert any(kept) == held_out


def test_a_page_has_up_to_a_dozen_different_words_in_reading_order():
    counts = set()
    for seed in range(60):
        page = random_page(Random(seed), held_out=False)
        counts.add(len(page.words))
        assert len(set(page.words)) == len(page.words)
        order = sorted(range(len(page.spots)), key=lambda i: page.spots[i][::-1])
        assert order == list(range(len(page.spots)))
    assert max(counts) == 12


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_every_word_is_drawn_inside_the_page(scale):
    for seed in range(20):
        page = random_page(Random(seed), held_out=False)
        pixels = np.asarray(page.draw(scale=scale)).astype(int)
        assert pixels.shape == (round(HEIGHT * scale), round(WIDTH * scale), 3)
        dark = abs(pixels - page.paper).sum(-1) > 200
        assert not dark[:, 0].any()
        assert not dark[:, -1].any()
        for x, y in page.spots:
            reach = slice(int((y - 8) * scale), int((y + 8) * scale))
            assert dark[reach, int(x * scale) : int((x + 20) * scale)].any()


def test_a_seed_draws_the_same_page_again():
    first, second = (random_page(Random(3), held_out=True) for _ in range(2))
    assert first == second
    assert first.draw().tobytes() == second.draw().tobytes()


def test_words_that_are_never_seen_are_never_taught():
    assert not set(NEVER_SEEN) & set(NEVER_TAUGHT)
    assert len(set(ON_PAGES)) == len(ON_PAGES)
