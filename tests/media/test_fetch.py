import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlx_glm45v.errors import Cancelled, MediaError
from mlx_glm45v.media.fetch import FetchLimits, fetch

SHORT = FetchLimits(max_bytes=100_000, seconds=0.3, redirects=2)


def test_a_body_comes_as_it_was_sent(server) -> None:
    body = fetch(server.address("/photo.png"), name="photo.png")
    assert body == server.bodies["/photo.png"]


def test_a_redirect_is_followed(server) -> None:
    body = fetch(server.address("/moved.png"), name="moved.png", limits=SHORT)
    assert body == server.bodies["/photo.png"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/hangs.png", "not complete after 0.3 s"),
        ("/drips.png", "not complete after 0.3 s"),
        ("/short.png", "announced 1,000 bytes and sent 4"),
        ("/huge.png", "sends 1,000,000,000,000 bytes, the limit is 100,000"),
        ("/endless.png", "sends more, the limit is 100,000 bytes"),
        ("/loop.png", "redirects more than 2 times"),
        ("/local.png", "Redirection to url 'file:///etc/hostname' is not allowed"),
        ("/missing.png", "answered 404"),
    ],
)
def test_a_misbehaving_server_is_told_about(server, path: str, told: str) -> None:
    with pytest.raises(MediaError, match=rf"photo\.png.*{told}"):
        fetch(server.address(path), name="photo.png", limits=SHORT)


def test_nobody_listening_is_told_about() -> None:
    with pytest.raises(MediaError, match=r"photo\.png could not be downloaded"):
        fetch("http://127.0.0.1:1/photo.png", name="photo.png", limits=SHORT)


def test_a_stop_ends_a_hanging_transfer_at_once(server) -> None:
    began = time.monotonic()
    with pytest.raises(Cancelled, match=r"photo\.png"):
        fetch(
            server.address("/hangs.png"),
            name="photo.png",
            should_stop=lambda: time.monotonic() > began + 0.05,
        )
    assert time.monotonic() - began < 1.0


def test_no_thread_is_left_behind(server) -> None:
    before = {thread.name for thread in threading.enumerate()}
    fetch(server.address("/photo.png"), name="photo.png")
    left = {t.name for t in threading.enumerate() if "_run" in t.name} - before
    assert not left


def test_a_certificate_that_nobody_signed_is_refused(tmp_path) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl makes the certificate")
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(MediaError, match=r"photo\.png.*certificate"):
            fetch(f"https://localhost:{server.server_port}/", name="photo.png")
        server.shutdown()
