"""The process alone, over its pipes: what it understands, and that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.engine.protocol import (
    Failed,
    Finished,
    Load,
    Loaded,
    Stop,
    event_of,
    to_line,
)
from tests.app.engine_talk import ENDLESS, picture, question, user

ENGINE = [sys.executable, "-m", "app", "--engine"]


class Child:
    """A process with JSON lines on its pipes."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    def write(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, value: Any) -> None:
        self.write(json.dumps(to_line(value)).encode())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def until(self, *kinds: type) -> Any:
        for line in self.process.stdout:
            event = event_of(json.loads(line))
            if isinstance(event, kinds):
                return event
        pytest.fail(self.process.stderr.read().decode())


@pytest.fixture
def engine() -> Iterator[Child]:
    child = Child(ENGINE)
    yield child
    child.end()


def is_alive(pid: int) -> bool:
    """A process that nobody has buried yet is dead."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def gone_within(seconds: float, pid: int) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not is_alive(pid):
            return True
    return False


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"is": "load"}',
        b'{"is": "ask", "id": 1}',
        b'{"is": "ask", "id": 1, "messages": [{"role": "king", "parts": []}]}',
        b'{"is": "ask", "id": 1, "messages": []}',
        b'{"is": ["ask"]}',
        b'{"is": "stop", "id": "all"}',
        b'{"is": "stop", "id": 99}',
        b"{" + b'"a":' * 50 + b"1" + b"}" * 50,
    ],
    ids=lambda line: line[:20].decode(errors="replace"),
)
def test_garbage_costs_nothing(engine, garbage):
    engine.write(garbage)
    engine.send(question(7, user("Hi")))
    failure = engine.until(Failed)
    while failure.id != 7:
        failure = engine.until(Failed)
    assert "no model" in failure.message


def test_questions_wait_their_turn_and_stops_do_not(engine):
    engine.send(Load("demo"))
    engine.send(question(1, user(ENDLESS), max_tokens=200))
    engine.send(question(2, user("Describe the picture.", picture())))
    engine.send(Stop(1))  # not the last question any more: nobody's answer
    assert engine.until(Loaded, Failed).title == "Demo"
    assert engine.until(Finished, Failed).id == 1
    assert engine.until(Finished, Failed).reason == "stop"


def test_it_ends_with_its_input_whatever_it_does(engine):
    engine.send(Load("demo"))
    engine.until(Loaded)
    engine.send(question(1, user(ENDLESS)))
    engine.process.stdin.close()
    assert engine.process.wait(2) == 0


def test_a_print_in_the_child_goes_to_standard_error():
    script = (
        "import os, subprocess, sys\n"
        "from app.processes.child import Channel\n"
        "channel = Channel()\n"
        "for request in channel:\n"
        "    print('printed')\n"
        "    os.write(1, b'written\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"by a child\")'])\n"
        "    channel.send(request)\n"
    )
    child = Child([sys.executable, "-c", script])
    child.write(b'{"a": 1}')
    assert child.process.stdout.readline() == b'{"a":1}\n'
    out, err = child.process.communicate()
    assert out == b""
    assert err.splitlines() == [b"printed", b"written", b"by a child"]


PARENT = """
import sys
from PySide6.QtCore import QCoreApplication
from app.engine.client import EngineClient
from tests.app.engine_talk import ENDLESS, question, user

app = QCoreApplication([])
client = EngineClient(app)

def changed(state):
    if state.phase == "ready":
        client.ask(question(1, user(ENDLESS)))
    elif state.phase == "working":
        print(client.process_id, flush=True)
        if "leave" in sys.argv:
            client.shutdown()
            app.quit()

client.state_changed.connect(changed)
client.load("demo")
app.exec()
"""


def parent(tmp_path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "GLM45V_APP_DATA": str(tmp_path)}
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def test_no_orphan_is_left_when_the_parent_is_killed(tmp_path):
    process = parent(tmp_path)
    child = int(process.stdout.readline())
    assert is_alive(child)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert gone_within(5, child)


def test_a_parent_that_closes_does_not_wait_and_leaves_none(tmp_path):
    process = parent(tmp_path, "leave")
    child = int(process.stdout.readline())
    begun = time.monotonic()
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert process.returncode == 0
    assert errors == b""
    assert gone_within(5, child)


def test_the_main_module_does_not_import_qt_for_the_engine():
    code = (
        "import sys; sys.argv = ['app', '--engine']\n"
        "import app.engine.process as engine\n"
        "engine.main = lambda: 0\n"
        "import app.__main__\n"
        "assert app.__main__.main() == 0\n"
        "assert not [name for name in sys.modules if 'PySide' in name]\n"
        "assert 'mlx' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
