"""A region of the screen, taken by a stand-in for the system's tool."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject

from app.control.region import ScreenRegion

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def region():
    def make(script: str) -> ScreenRegion:
        return ScreenRegion(owner, (sys.executable, "-c", f"import sys;{script}"))

    owner = QObject()
    return make


def test_what_was_taken_is_given_on(region, wait_until):
    taken: list[bytes] = []
    screen = region("open(sys.argv[1], 'wb').write(b'picture')")
    screen.taken.connect(taken.append)
    for count in (1, 2):
        screen.take()
        wait_until(lambda count=count: len(taken) == count)
    assert taken == [b"picture"] * 2


def test_nothing_is_given_on_when_the_person_takes_nothing(region, wait_until):
    taken: list[bytes] = []
    screen = region("pass")
    screen.taken.connect(taken.append)
    screen.take()
    screen.take()
    wait_until(lambda: screen._folder is None)
    assert taken == []


def test_a_tool_that_is_not_there_is_no_trouble(qapp):
    owner = QObject()
    screen = ScreenRegion(owner, ("no-such-tool",))
    screen.take()
    qapp.processEvents()
    screen.take()
