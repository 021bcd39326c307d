"""Kept awake while something works, by a stand-in for the system's tool."""

import sys

import pytest
from PySide6.QtCore import QObject, QProcess

from app.control.awake import Awake

pytestmark = pytest.mark.usefixtures("qapp")
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def owner():
    return QObject()


def test_it_is_kept_while_there_is_a_reason(owner, wait_until):
    awake = Awake(owner, SLEEPS)
    awake.set_working("answer", True)
    awake.set_working("transfer", True)
    (process,) = awake.findChildren(QProcess)
    wait_until(lambda: process.state() == QProcess.ProcessState.Running)
    awake.set_working("answer", False)
    assert awake.is_kept
    awake.set_working("transfer", False)
    assert not awake.is_kept
    wait_until(lambda: not awake.findChildren(QProcess))


def test_the_same_reason_twice_is_one(owner, wait_until):
    awake = Awake(owner, SLEEPS)
    for on in (True, True, False):
        awake.set_working("answer", on)
    assert not awake.is_kept
    wait_until(lambda: not awake.findChildren(QProcess))


def test_without_a_tool_nothing_happens(owner, qapp):
    for command in ((), ("no-such-tool",)):
        awake = Awake(owner, command)
        awake.set_working("answer", True)
        qapp.processEvents()
        awake.set_working("answer", False)
        assert not awake.is_kept
