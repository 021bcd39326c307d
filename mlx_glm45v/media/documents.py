"""Pages of a PDF as pictures, one at a time.

Knows PDF files through PDFium. Does not know sizes a model likes. PDFium is not made
for threads: read one document at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image
from pypdfium2 import PdfDocument, PdfiumError, raw

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.fetch import DEFAULT_LIMITS, FetchLimits
from mlx_glm45v.media.sources import open_source, source_name

__all__ = ["MAX_PAGE_PIXELS", "page_count", "page_sizes", "read_pages"]

POINTS_PER_INCH = 72
# Larger pages are drawn at a lower resolution; models take 4.8 million pixels at most.
MAX_PAGE_PIXELS = 24_000_000


def page_count(
    source: Any,
    *,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> int:
    """How many pages a PDF has.

    Raises:
        MediaError, Cancelled: see `read_pages`.
    """
    with _opened(source, source_name(source), limits, should_stop) as document:
        return len(document)


def page_sizes(
    source: Any,
    *,
    pages: Sequence[int] | None = None,
    dpi: int = 144,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[tuple[int, int], ...]:
    """(width, height) in pixels that `read_pages` would draw; nothing is drawn.

    Raises:
        MediaError, Cancelled: see `read_pages`.
    """
    name = source_name(source)
    _check_dpi(dpi, name)
    with _opened(source, name, limits, should_stop) as document:
        sizes = []
        for number in _checked(pages, len(document), name=name):
            if should_stop is not None and should_stop():
                raise Cancelled(f"stopped before page {number} of {name}")
            sizes.append(_drawn_size(document, number, dpi, name=name))
        return tuple(sizes)


def read_pages(
    source: Any,
    *,
    pages: Sequence[int] | None = None,
    dpi: int = 144,
    limits: FetchLimits = DEFAULT_LIMITS,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[Image.Image]:
    """RGB pictures of a PDF's pages on white, each drawn when it is asked for.

    `source` is a path, the file's bytes, or a `data:` or `http(s)://` address; `pages`
    are numbers from 1, in the order wanted, all of them when None; `dpi` is pixels an
    inch, less where a page would exceed `MAX_PAGE_PIXELS`.

    Raises:
        MediaError: no PDF, a broken or encrypted one, no such page, a wrong `dpi`.
        Cancelled: `should_stop` returned True.
    """
    name = source_name(source)
    _check_dpi(dpi, name)
    with _opened(source, name, limits, should_stop) as document:
        for number in _checked(pages, len(document), name=name):
            if should_stop is not None and should_stop():
                raise Cancelled(f"stopped before page {number} of {name}")
            yield _draw(document, number, dpi, name=name)


def _check_dpi(dpi: float, name: str) -> None:
    if not (math.isfinite(dpi) and dpi > 0):
        raise MediaError(f"{name}: dpi is {dpi}. Give a number above 0, such as 144")


def _checked(pages: Sequence[int] | None, count: int, *, name: str) -> Sequence[int]:
    if pages is None:
        return range(1, count + 1)
    if not pages:
        raise MediaError(f"{name}: no page is asked for. Give numbers, 1 to {count}")
    for number in pages:
        if not 1 <= number <= count:
            raise MediaError(
                f"{name} has no page {number}. Give numbers from 1 to {count}"
            )
    return pages


def _draw(document: PdfDocument, number: int, dpi: float, *, name: str) -> Image.Image:
    try:
        page = document[number - 1]
        # Declared int, taken as float.
        scale: Any = _scale(*page.get_size(), number, dpi, name=name)
        bitmap = page.render(scale=scale)
        picture = bitmap.to_pil().convert("RGB")
        bitmap.close()
        page.close()
    except PdfiumError as error:
        raise _undrawable(name, number, error) from error
    return picture


def _drawn_size(
    document: PdfDocument, number: int, dpi: float, *, name: str
) -> tuple[int, int]:
    try:
        page = document[number - 1]
        width, height = page.get_size()
        scale = _scale(width, height, number, dpi, name=name)
        page.close()
    except PdfiumError as error:
        raise _undrawable(name, number, error) from error
    # As PDFium's bitmap is made.
    return math.ceil(width * scale), math.ceil(height * scale)


def _scale(width: float, height: float, number: int, dpi: float, *, name: str) -> float:
    """Pixels a point."""
    if width <= 0 or height <= 0:
        raise MediaError(
            f"{name}: page {number} is {width:g}x{height:g} points. Leave it out"
        )
    return min(dpi / POINTS_PER_INCH, math.sqrt(MAX_PAGE_PIXELS / (width * height)))


def _undrawable(name: str, number: int, error: PdfiumError) -> MediaError:
    return MediaError(
        f"{name}: page {number} cannot be drawn ({error}). Leave it out, or print "
        "the document to a new PDF"
    )


@contextmanager
def _opened(
    source: Any,
    name: str,
    limits: FetchLimits,
    should_stop: Callable[[], bool] | None,
) -> Iterator[PdfDocument]:
    with open_source(source, limits=limits, should_stop=should_stop) as file:
        try:
            document = PdfDocument(file)
        except PdfiumError as error:
            raise _unreadable(name, error) from error
        try:
            document.init_forms()
            if len(document) == 0:
                raise MediaError(f"{name} has no pages. Give another document")
            yield document
        finally:
            document.close()


def _unreadable(name: str, error: PdfiumError) -> MediaError:
    if error.err_code == raw.FPDF_ERR_PASSWORD:
        return MediaError(
            f"{name} is encrypted with a password. Save a copy without one"
        )
    reason = str(error).rstrip(".")
    return MediaError(
        f"{name} is no PDF or a damaged one ({reason}). "
        "Open it in a viewer and print it to a new PDF"
    )
