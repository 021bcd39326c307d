"""A link to a child: what arrives, what is kept, how it ends."""

from __future__ import annotations

import sys
import time

import pytest
import shiboken6
from PySide6.QtCore import QObject

from app.paths import log_file
from app.processes.link import JsonProcess

ECHO = (
    "import sys\n"
    "for line in sys.stdin:\n"
    "    sys.stdout.write(line)\n"
    "    sys.stdout.flush()\n"
)


@pytest.fixture
def owner(qapp, tmp_path, monkeypatch) -> QObject:
    monkeypatch.setenv("GLM45V_APP_DATA", str(tmp_path))
    return QObject(qapp)


class Link:
    """A started process and what it said."""

    def __init__(self, script: str, owner: QObject) -> None:
        program = [sys.executable, "-c", script]
        self.process = JsonProcess([], owner, program=program)
        self.received: list = []
        self.ended: list = []
        self.started: list = []
        self.process.received.connect(self.received.append)
        self.process.ended.connect(self.ended.append)
        self.process.started.connect(lambda: self.started.append(True))
        self.process.start()


def test_what_is_sent_before_it_runs_arrives_whole_and_in_order(owner, wait_until):
    link = Link(ECHO, owner)
    large = {"text": "x\n\u2028" * 200_000}
    link.process.send({"number": 1})
    link.process.send(large)
    wait_until(lambda: len(link.received) == 2)
    assert link.received == [{"number": 1}, large]
    assert link.started
    link.process.kill()
    wait_until(lambda: link.ended)
    assert link.ended[0].crashed
    assert link.ended[0].exit_code == 9
    assert link.process.process_id == 0
    link.process.send({"number": 2})


def test_the_end_comes_after_the_last_word_and_tells_how(owner, wait_until):
    script = (
        "import sys; print('{\"last\": true}', end='\\n')\n"
        "for n in range(60): print('line', n, file=sys.stderr)\n"
        "print('no end of line', end='', file=sys.stderr); sys.exit(4)"
    )
    link = Link(script, owner)
    told: list = []
    link.process.ended.connect(lambda _: told.extend(link.received))
    wait_until(lambda: link.ended)
    (ended,) = link.ended
    assert (ended.exit_code, ended.crashed) == (4, False)
    assert ended.tail[-2:] == ("line 59", "no end of line")
    assert len(ended.tail) == 40
    assert told == [{"last": True}]
    assert "line 0\n" in log_file().read_text()


def test_lines_that_are_no_objects_are_logged_and_passed_over(owner, wait_until):
    link = Link("print('hello'); print('[1]'); print('{\"a\": 1}')", owner)
    wait_until(lambda: link.ended)
    assert link.received == [{"a": 1}]
    assert "hello" in log_file().read_text()


def test_a_program_that_is_missing_ends_at_once(owner, wait_until, tmp_path):
    process = JsonProcess([], owner, program=[str(tmp_path / "none")])
    ends: list = []
    process.ended.connect(ends.append)
    process.start()
    wait_until(lambda: ends)
    assert (ends[0].exit_code, ends[0].crashed) == (-1, True)


def test_a_process_dies_with_its_owner_and_nobody_waits(owner, wait_until):
    link = Link("import time; print('{}', flush=True); time.sleep(60)", owner)
    wait_until(lambda: link.received)
    exits: list = []
    link.process._process.finished.connect(lambda *_: exits.append(True))
    begun = time.monotonic()
    shiboken6.delete(owner)
    assert time.monotonic() - begun < 0.1
    wait_until(lambda: exits)
    assert not link.ended


def test_a_log_that_grew_large_is_put_aside(owner, wait_until):
    log_file().write_bytes(b"x" * (5 * 2**20))
    link = Link("import sys; print('fresh', file=sys.stderr)", owner)
    wait_until(lambda: link.ended)
    assert log_file().read_text() == "fresh\n"
    assert log_file().with_suffix(".old.txt").stat().st_size > 5 * 2**20 - 1
