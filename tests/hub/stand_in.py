"""A Hub on loopback: repositories in memory, and faults on request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer.

    `status` replaces the answer; `drop_after` sends so many bytes and closes;
    `hang_after` sends so many and then nothing; `ignore_range` sends the whole file;
    `content` sends other bytes under the right length.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    hang_after: int | None = None
    ignore_range: bool = False
    content: bytes | None = None


@dataclass
class StandInHub:
    """`files` by repository, `faults` by path (one an answer), `seen` (path, Range).

    `commit` is what branches lead to; `older` keeps the files of other commits.
    """

    url: str
    files: dict[str, dict[str, bytes]]
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    listed_sizes: dict[str, int] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    commit: str = COMMIT
    older: dict[str, dict[str, bytes]] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)

    def ranges_of(self, name: str) -> list[str | None]:
        """The Range header of every request for a file."""
        return [asked for path, asked in self.seen if path.endswith("/" + name)]

    def content(self, repo_id: str, revision: str) -> dict[str, bytes]:
        """The files of a branch or commit."""
        return self.older.get(revision) or self.files[repo_id]

    def listing(self, repo_id: str, revision: str) -> dict[str, object]:
        """What the Hub's API says about a repository."""
        return {
            "id": repo_id,
            "sha": revision if revision in self.older else self.commit,
            "siblings": [
                self._sibling(name, content)
                for name, content in self.content(repo_id, revision).items()
            ],
        }

    def _sibling(self, name: str, content: bytes) -> dict[str, object]:
        size = self.listed_sizes.get(name, len(content))
        sibling: dict[str, object] = {
            "rfilename": name,
            "size": size,
            "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }
        if name.endswith(".safetensors"):
            sha256 = hashlib.sha256(content).hexdigest()
            sibling["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 134}
        return sibling


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        # A client that was killed, or has read enough, is no fault of this server.
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.seen.append((path, self.headers.get("Range")))
        waiting = next(
            (faults for end, faults in self.hub.faults.items() if path.endswith(end)),
            [],
        )
        fault = waiting.pop(0) if waiting else Fault()
        if fault.status is not None:
            self._send(fault.status, b"", fault.headers)
        elif path.startswith("/api/models/"):
            repo_id = "/".join(path.split("/")[3:5])
            self._listing(repo_id, revision=path.split("/")[-1])
        elif path.startswith("/api/"):  # what huggingface_hub asks for itself
            self._send(404, b"", {})
        else:
            self._file(path, fault)

    def _listing(self, repo_id: str, *, revision: str) -> None:
        if repo_id not in self.hub.files:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif revision == "missing":
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            self._send(200, json.dumps(self.hub.listing(repo_id, revision)).encode())

    def _file(self, path: str, fault: Fault) -> None:
        owner, name, _, commit, file = path.lstrip("/").split("/", 4)
        whole = self.hub.content(f"{owner}/{name}", commit)[file]
        content = fault.content if fault.content is not None else whole
        asked = None if fault.ignore_range else self.headers.get("Range")
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        stop = min(int(last) + 1, len(content)) if last else len(content)
        body = content[int(first) : stop]
        self.send_response(206 if asked else 200)
        if asked:
            whole_range = f"bytes {first}-{stop - 1}/{len(content)}"
            self.send_header("Content-Range", whole_range)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        end = fault.drop_after if fault.drop_after is not None else fault.hang_after
        self.wfile.write(body if end is None else body[:end])
        self.wfile.flush()
        if fault.hang_after is not None:
            self.hub.ending.wait(30)
        if end is not None:
            self.close_connection = True

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


def point_to(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make downloads of this process go to the stand-in, whatever the environment."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


@contextmanager
def stand_in_hub(files: dict[str, dict[str, bytes]]) -> Iterator[StandInHub]:
    """Serve repositories on loopback for the length of the block."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub = StandInHub(f"http://127.0.0.1:{server.server_port}", files)
    handler.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()
