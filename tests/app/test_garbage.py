"""Garbage is collected in the window's thread alone."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QObject

from app.garbage import GarbageCollector


class Knot(QObject):
    """Nothing but the collector finds it when it is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.itself = self


def test_another_thread_may_allocate_and_collects_nothing(wait_until):
    ended, kept = [], []
    knot = weakref.ref(Knot(), lambda _: ended.append(threading.current_thread()))
    thread = threading.Thread(target=lambda: kept.extend([] for _ in range(100_000)))
    thread.start()
    thread.join()
    assert knot() is not None
    wait_until(lambda: knot() is None)
    assert ended == [threading.main_thread()]


@pytest.mark.parametrize(
    ("counts", "collected"),
    [
        ((700, 10, 10), []),
        ((701, 10, 10), [0]),
        ((701, 11, 10), [1]),
        ((701, 11, 11), [2]),
    ],
)
def test_it_collects_when_and_what_python_would(qapp, monkeypatch, counts, collected):
    seen = []
    collector = GarbageCollector(qapp)
    monkeypatch.setattr(gc, "get_count", lambda: counts)
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    monkeypatch.setattr(gc, "collect", seen.append)
    collector.collect()
    collector.deleteLater()
    assert seen == collected


def test_stopped_python_collects_again(qapp):
    collector = GarbageCollector(qapp)
    assert not gc.isenabled()
    collector.stop()
    assert gc.isenabled()
    gc.disable()
    collector.deleteLater()
