"""Errors that nothing caught: logged every time, told once."""

import sys
import threading

import pytest
from PySide6.QtCore import QObject, QTimer

from app.faults import Faults
from app.paths import ENVIRONMENT, log_file


@pytest.fixture
def told(qapp, tmp_path, monkeypatch):  # noqa: ARG001
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    owner, told = QObject(), []
    faults = Faults(owner)
    faults.told.connect(told.append)
    yield told
    faults.close()


def logged():
    return log_file().read_text() if log_file().exists() else ""


def fail():
    raise LookupError("nobody expected this")


def test_a_slot_that_fails_is_told_once(told, wait_until, capsys):
    for _ in range(3):
        QTimer.singleShot(0, fail)
    wait_until(
        lambda: log_file().exists() and log_file().read_text().count("nobody") > 2
    )
    assert len(told) == 1
    assert "kept" in told[0]
    assert "nobody expected this" in capsys.readouterr().err


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
