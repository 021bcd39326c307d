"""Small videos, and a web server on the loopback that can misbehave."""

import io
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

CODECS = {
    "mp4": ("libx264", "yuv420p"),
    "mov": ("libx264", "yuv420p"),
    "webm": ("libvpx-vp9", "yuv420p"),
    "matroska": ("libx264", "yuv420p"),
    "gif": ("gif", "rgb8"),
    "avi": ("mpeg4", "yuv420p"),
}


def make_film(
    kind: str = "mp4",
    *,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    rate: int = 10,
    times: Sequence[float] = (),
    rotation: int = 0,
    audio: bool = False,
    options: dict[str, str] | None = None,
    key_every: int = 250,
) -> bytes:
    """Grey pictures, each 8 levels lighter, with a white top left corner."""
    # A file on disk: "faststart" opens it a second time.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film")
        with av.open(path, "w", format=kind, container_options=options or {}) as out:
            codec, pixels = CODECS[kind]
            stream = out.add_stream(codec, rate=rate)
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            stream.gop_size = key_every
            if times:
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            if rotation:
                stream.set_display_rotation(rotation)
            sound = out.add_stream("aac", rate=16000, layout="mono") if audio else None
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(
                    drawing(number, size), format="rgb24"
                )
                frame.pts = round(times[number] * 1000) if times else number
                frame.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
            if sound is not None:
                silence = np.zeros((1, 16000 * frames // rate), np.float32)
                noise = av.AudioFrame.from_ndarray(
                    silence, format="fltp", layout="mono"
                )
                noise.sample_rate = 16000
                out.mux(sound.encode(noise))
                out.mux(sound.encode())
        return path.read_bytes()


def drawing(number: int, size: tuple[int, int]) -> np.ndarray:
    picture = np.full((size[1], size[0], 3), 8 * number % 200, np.uint8)
    picture[: size[1] // 4, : size[0] // 4] = 255
    return picture


@pytest.fixture(scope="session")
def film() -> Callable[..., bytes]:
    return make_film


class Server(ThreadingHTTPServer):
    """Serves what `bodies` holds; other paths misbehave as their names say."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.over = threading.Event()
        self.bodies = {"/photo.png": png()}

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    return file.getvalue()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path in self.server.bodies:
            self._send(self.server.bodies[path])
        elif path == "/hangs.png":
            self.server.over.wait()
        elif path == "/drips.png":
            self._drip()
        elif path == "/short.png":
            self._head(length=1000)
            self.wfile.write(b"\x89PNG")
        elif path == "/huge.png":
            self._head(length=10**12)
        elif path == "/endless.png":
            self._head(length=None)
            while not self.server.over.is_set():
                self.wfile.write(bytes(1 << 16))
        elif path == "/loop.png":
            self._redirect("/loop.png")
        elif path == "/moved.png":
            self._redirect("/photo.png")
        elif path == "/local.png":
            self._redirect("file:///etc/hostname")
        elif path == "/words.png":
            self._send(b"<html>Please sign in</html>")
        else:
            self.send_error(404)

    def _drip(self) -> None:
        self._head(length=50_000)
        while not self.server.over.wait(0.02):
            self.wfile.write(b"x")
            self.wfile.flush()

    def _send(self, body: bytes) -> None:
        self._head(length=len(body))
        self.wfile.write(body)

    def _head(self, *, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client hung up, as it should
            return

    def log_request(self, *_: object) -> None:
        return

    def log_error(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()
