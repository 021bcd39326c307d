import io

import pytest
from PIL import Image
from pypdfium2 import PdfDocument

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.documents import MAX_PAGE_PIXELS, page_count, read_pages

COLOURS = ("red", "lime", "blue")


@pytest.fixture(scope="module")
def report() -> bytes:
    """Three pages of one colour each, 72x144 points."""
    pages = [Image.new("RGB", (72, 144), colour) for colour in COLOURS]
    file = io.BytesIO()
    pages[0].save(
        file, "PDF", save_all=True, append_images=pages[1:], resolution=72, quality=100
    )
    return file.getvalue()


def colour_of(page: Image.Image) -> str:
    levels = page.getpixel((page.width // 2, page.height // 2))
    assert isinstance(levels, tuple)
    return COLOURS[levels.index(max(levels))]


def empty_page(width: float, height: float) -> bytes:
    document = PdfDocument.new()
    document.new_page(width, height)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def test_all_pages_come_in_order(report: bytes) -> None:
    pages = list(read_pages(report))
    assert [colour_of(page) for page in pages] == list(COLOURS)
    assert {page.mode for page in pages} == {"RGB"}
    assert page_count(report) == 3


def test_chosen_pages_come_in_the_order_asked_for(report: bytes) -> None:
    pages = read_pages(report, pages=(3, 1, 3))
    assert [colour_of(page) for page in pages] == ["blue", "red", "blue"]


@pytest.mark.parametrize(("dpi", "size"), [(72, (72, 144)), (144, (144, 288))])
def test_dpi_sets_the_size(report: bytes, dpi: int, size: tuple[int, int]) -> None:
    assert next(read_pages(report, dpi=dpi)).size == size


def test_a_large_page_is_drawn_at_a_lower_resolution() -> None:
    (page,) = read_pages(empty_page(9000, 1000), dpi=600)
    assert 0.99 < page.width * page.height / MAX_PAGE_PIXELS < 1.01
    assert page.width / page.height == pytest.approx(9, rel=0.01)


def test_an_empty_page_is_white() -> None:
    (page,) = read_pages(empty_page(30, 20))
    assert page.getextrema() == ((255, 255),) * 3


def test_pages_are_drawn_when_they_are_asked_for(report: bytes) -> None:
    asked: list[int] = []
    pages = read_pages(report, should_stop=lambda: bool(asked.append(1)))
    next(pages)
    next(pages)
    assert len(asked) == 2
    pages.close()


def test_a_stop_ends_the_reading(report: bytes) -> None:
    answers = iter((False, True))
    pages = read_pages(report, should_stop=lambda: next(answers))
    next(pages)
    with pytest.raises(Cancelled, match="page 2"):
        next(pages)


@pytest.mark.parametrize("pages", [(0,), (4,), (1, -1), ()])
def test_pages_that_do_not_exist_are_refused(
    report: bytes, pages: tuple[int, ...]
) -> None:
    with pytest.raises(MediaError, match="1 to 3"):
        list(read_pages(report, pages=pages))


@pytest.mark.parametrize("dpi", [0, -72, float("nan")])
def test_a_dpi_that_means_nothing_is_refused(report: bytes, dpi: int) -> None:
    with pytest.raises(MediaError, match="above 0"):
        list(read_pages(report, dpi=dpi))
