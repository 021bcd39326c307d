"""Files on their way in: refused by name, and never in the way of the app's end."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.control.arrivals import Arrivals
from app.store.attachments import Media
from tests.app.real_app import MEDIA, PICTURE

pytestmark = pytest.mark.usefixtures("qapp")
CLOSES = """
import sys
from PySide6.QtCore import QCoreApplication
from app.control.arrivals import Arrivals
from app.store.attachments import Media
from pathlib import Path
app = QCoreApplication([])
arrivals = Arrivals(Media(Path(sys.argv[1])))
arrivals.bring_urls((sys.argv[2],))
sys.stdin.readline()
arrivals.close()
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def arrivals(tmp_path) -> Iterator[Arrivals]:
    arrivals = Arrivals(Media(tmp_path))
    arrivals.came, arrivals.refusals = [], []
    arrivals.arrived.connect(lambda found, _: arrivals.came.append(found.name))
    arrivals.refused.connect(lambda *words: arrivals.refusals.append(words))
    yield arrivals
    arrivals.close()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes the call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def web() -> Iterator[str]:
    """The address of a server of the example files."""
    handler = partial(QuietHandler, directory=str(MEDIA))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


def address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/photo.png"


def test_a_picture_comes_from_the_web(arrivals, wait_until, web):
    arrivals.bring_urls((f"{web}/example.png",))
    assert arrivals.pending == 1
    wait_until(lambda: not arrivals.pending)
    assert arrivals.came == ["example.png"]


@pytest.mark.parametrize("scheme", ["file", "ftp", "javascript"])
def test_other_addresses_are_refused_by_name(arrivals, wait_until, scheme):
    arrivals.bring_urls((f"{scheme}:///etc/odd%20name.png",))
    wait_until(lambda: not arrivals.pending)
    ((name, why),) = arrivals.refusals
    assert (name, "http" in why) == ("odd name.png", True)


def test_what_the_server_refuses_is_said(arrivals, wait_until, web):
    arrivals.bring_urls((f"{web}/none.png", f"{web}/example.png"))
    wait_until(lambda: not arrivals.pending)
    ((name, why),) = arrivals.refusals
    assert (name, "404" in why) == ("none.png", True)
    assert arrivals.came == ["example.png"]


def test_files_do_not_wait_for_a_server_that_hangs(arrivals, wait_until, silent):
    arrivals.bring_urls((address(silent),))
    arrivals.bring_paths((PICTURE,))
    wait_until(lambda: arrivals.came)
    assert arrivals.pending == 1


def test_closing_ends_a_fetch_at_once_and_in_silence(
    arrivals, wait_until, silent, qapp
):
    before = set(threading.enumerate())
    arrivals.bring_urls((address(silent),))
    call, _ = silent.accept()
    begun = time.monotonic()
    arrivals.close()
    assert time.monotonic() - begun < 0.05
    wait_until(lambda: not set(threading.enumerate()) - before, timeout=2)
    call.close()
    qapp.processEvents()
    assert not arrivals.refusals


def test_the_program_ends_though_a_server_hangs(silent, tmp_path):
    program = [sys.executable, "-c", CLOSES, str(tmp_path), address(silent)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        call, _ = silent.accept()
        begun = time.monotonic()
        _, errors = process.communicate(b"\n", timeout=20)
        took = time.monotonic() - begun
    call.close()
    assert (process.returncode, errors) == (0, b"")
    assert took < 3
