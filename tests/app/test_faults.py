"""Errors that nothing caught: logged every time, told once."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QTimer

from app.faults import Faults
from app.paths import ENVIRONMENT, log_file

ROOT = Path(__file__).parents[2]
CRASHES = "import os; from app.faults import *; log_native_crashes(); os.abort()"


@pytest.fixture
def faults(qapp, tmp_path, monkeypatch):  # noqa: ARG001
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    owner = QObject()
    faults = Faults(owner)
    yield faults
    faults.close()


@pytest.fixture
def told(faults):
    told = []
    faults.tell(told.append)
    return told


def logged():
    return log_file().read_text() if log_file().exists() else ""


def fail():
    raise LookupError("nobody expected this")


def test_a_slot_that_fails_is_told_once(told, wait_until, capsys):
    QTimer.singleShot(0, fail)
    QTimer.singleShot(0, fail)
    wait_until(lambda: logged().count("nobody expected this\n") == 2)
    assert len(told) == 1
    assert "kept" in told[0]
    assert "nobody expected this" in capsys.readouterr().err


@pytest.mark.usefixtures("told", "capsys")
def test_an_error_that_comes_again_and_again_does_not_fill_the_log(wait_until):
    seen = []
    for _ in range(500):
        QTimer.singleShot(0, fail)
    QTimer.singleShot(0, lambda: seen.append(True))
    wait_until(lambda: seen)
    assert logged().count("nobody expected this\n") == 3


def test_what_failed_before_there_was_a_window_is_told_afterwards(faults, wait_until):
    done, told = [], []
    QTimer.singleShot(0, fail)
    QTimer.singleShot(0, lambda: done.append(True))
    wait_until(lambda: done)
    faults.tell(told.append)
    assert len(told) == 1


def test_a_crash_below_python_leaves_its_stack(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CRASHES],
        cwd=ROOT,
        env={**os.environ, ENVIRONMENT: str(tmp_path)},
        check=False,
    )
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in (tmp_path / "log.txt").read_text()


def test_a_thread_that_fails_is_told(told, wait_until):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    wait_until(lambda: told)
    assert "test_faults.py" in log_file().read_text()


def test_afterwards_errors_are_pythons_again(told):
    before = sys.excepthook
    owner = QObject()
    Faults(owner).close()
    assert sys.excepthook == before
    assert not told
