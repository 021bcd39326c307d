"""What the store refuses is said to the person, and nothing else comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..store import StoreError


@contextmanager
def told(say: Callable[[str], object]) -> Iterator[None]:
    """Say why the store did not do it: a full disk, a message that is gone."""
    try:
        yield
    except StoreError as error:
        say(str(error))
