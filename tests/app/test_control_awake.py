"""Kept awake while something works, by a stand-in for the system's tool."""

import subprocess
import sys

import pytest
from PySide6.QtCore import QObject, QProcess

from app.control.awake import Awake

pytestmark = pytest.mark.usefixtures("qapp")
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")
ENDS = """
import sys
from PySide6.QtCore import QCoreApplication, QProcess
from app.control.awake import Awake
app = QCoreApplication([])
awake = Awake(app, sys.argv[1:])
awake.set_working("answer", True)
awake.findChild(QProcess).waitForStarted()
awake.close()
"""


@pytest.fixture
def owner():
    return QObject()


def running(awake):
    ended = QProcess.ProcessState.NotRunning
    return [each for each in awake.findChildren(QProcess) if each.state() != ended]


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
    assert not running(awake)


def test_the_same_reason_twice_is_one(owner):
    awake = Awake(owner, SLEEPS)
    for on in (True, True, False):
        awake.set_working("answer", on)
    assert not awake.is_kept
    assert not running(awake)


def test_without_a_tool_nothing_happens(owner, qapp):
    for command in ((), ("no-such-tool",)):
        awake = Awake(owner, command)
        awake.set_working("answer", True)
        qapp.processEvents()
        awake.set_working("answer", False)
        assert not awake.is_kept


def test_the_app_ends_right_after_it_without_a_word():
    done = subprocess.run(
        [sys.executable, "-c", ENDS, *SLEEPS], capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")
