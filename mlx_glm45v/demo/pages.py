"""Pages of big text: up to a dozen words of a small vocabulary.

Knows the words, how they are laid out and drawn, and where each one stands. Does not
know questions or models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from random import Random

from PIL import Image, ImageDraw, ImageFont

from mlx_glm45v.demo.combinations import is_held_out
from mlx_glm45v.demo.scenes import PAPERS, RGB, random_paper
from mlx_glm45v.demo.words import ON_PAGES

WIDTH, HEIGHT = 168, 112
INKS: tuple[RGB, ...] = ((20, 20, 24), (30, 30, 90), (90, 20, 30), (20, 70, 40))


@dataclass(frozen=True)
class Page:
    """Words in reading order with the left edge and the middle of each, in pixels."""

    words: tuple[str, ...]
    spots: tuple[tuple[float, float], ...]
    font_size: float
    paper: RGB = PAPERS[0]
    ink: RGB = INKS[0]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(self.words)

    def draw(self, *, scale: float = 1.0) -> Image.Image:
        """The page as an RGB picture of (width * scale, height * scale) pixels."""
        size = (round(self.width * scale), round(self.height * scale))
        picture = Image.new("RGB", size, self.paper)
        pen = ImageDraw.Draw(picture)
        font = _font(self.font_size * scale)
        for word, (x, y) in zip(self.words, self.spots, strict=True):
            pen.text((x * scale, y * scale), word, self.ink, font=font, anchor="lm")
        return picture


@lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(round(size * 4) / 4)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@lru_cache(maxsize=4096)
def _width(word: str, size: float) -> float:
    return _font(size).getlength(word)


def random_words(random: Random, count: int, *, held_out: bool) -> tuple[str, ...]:
    """Different words; with `held_out` at least one pair of neighbours is held out.

    Without it none is.
    """
    while True:
        words = tuple(random.sample(ON_PAGES, count))
        kept = any(is_held_out("words", *pair) for pair in pairwise(words))
        if kept == held_out:
            return words


def random_page(random: Random, *, held_out: bool, count: int | None = None) -> Page:
    """A page of `count` words (2 to 12 when None), from left to right in lines."""
    wanted = count if count is not None else random.randint(2, 12)
    words = random_words(random, wanted, held_out=held_out)
    size = random.choice((15.0, 15.5, 16.0, 16.5, 17.0))
    pitch = random.uniform(28.0, 29.0)  # a line to a row of cells
    lines = _lines(words, size)
    while lines is None or (len(lines) - 1) * pitch + 1.1 * size > HEIGHT - 2:
        words = random_words(random, wanted, held_out=held_out)
        lines = _lines(words, size)
    used = (len(lines) - 1) * pitch + 1.1 * size
    left = random.uniform(2.0, max(2.0, WIDTH - 2 - max(end for _, end in lines)))
    first = random.uniform(1.0, HEIGHT - 1 - used) + 0.55 * size
    page = laid_out(words, font_size=size, left=left, first=first, pitch=pitch)
    ink = INKS[0] if random.random() < 0.6 else random.choice(INKS)
    return replace(page, paper=random_paper(random), ink=ink)


def laid_out(
    words: tuple[str, ...],
    *,
    font_size: float,
    left: float,
    first: float,
    pitch: float,
) -> Page:
    """The words in lines from `left` on, the first at height `first`."""
    spots = tuple(
        (left + x, first + row * pitch)
        for row, (starts, _) in enumerate(_lines(words, font_size))
        for x in starts
    )
    return Page(words, spots, font_size)


def _lines(words: tuple[str, ...], size: float) -> list[tuple[list[float], float]]:
    """For each line where its words start, and where it ends."""
    lines: list[tuple[list[float], float]] = []
    starts: list[float] = []
    at = 0.0
    for word in words:
        wide = _width(word, size)
        if starts and at + wide > WIDTH - 4:
            lines.append((starts, at))
            starts, at = [], 0.0
        starts.append(at)
        at += wide + 0.42 * size
    lines.append((starts, at))
    return lines
