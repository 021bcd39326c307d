"""Attachments' files: copied in by digest, each once.

Has no database, so that any thread may use it. Kinds come from a file's first bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ..conversation import Attachment
from .errors import StoreError
from .kinds import HEAD, kind_of

_CHUNK = 1 << 20


class Media:
    """The media of one folder."""

    def __init__(self, folder: Path) -> None:
        self._media = folder / "media"
        self._previews = folder / "previews"

    @property
    def previews(self) -> Path:
        """Where small pictures of them may be kept, under names that begin with the
        digest and a dash: they are removed with what they show.
        """
        return self._previews

    def attach(
        self, path: Path, should_stop: Callable[[], bool] = lambda: False
    ) -> Attachment:
        """Copy a file in.

        Raises:
            StoreError: it cannot be read or kept, is nothing the model can see, or
                `should_stop` said so.
        """
        try:
            if not path.is_file():  # opening a pipe would wait for its other end
                raise StoreError(f"{path.name} could not be added: it is no file.")
            with path.open("rb") as source:
                return self._keep(source, path.name, should_stop)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"{path.name} could not be added: {reason}") from error

    def attach_bytes(self, data: bytes, name: str) -> Attachment:
        """The same for what is in memory, as when a picture is pasted."""
        try:
            return self._keep(BytesIO(data), name, lambda: False)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"{name} could not be added: {reason}") from error

    def file_of(self, attachment: Attachment) -> Path:
        """Where its bytes are.

        Raises:
            StoreError: they are gone.
        """
        for path in self._place(attachment.digest).glob(f"{attachment.digest}*"):
            return path
        raise StoreError(f"The file of {attachment.name} is no longer there.")

    def remove_unreferenced(
        self, referenced: Callable[[], set[str]], age: float
    ) -> None:
        """Remove what nothing names and nobody added in the last `age` seconds."""
        if not self._media.exists():
            return
        with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
            if not alone:  # something is being added: the next time will do
                return
            kept = referenced()
            before = time.time() - age
            for path in [*self._media.glob("*/*"), *self._media.glob(".new-*")]:
                digest = path.name.partition(".")[0]
                old = path.is_file() and path.stat().st_mtime <= before
                if old and digest not in kept:
                    path.unlink(missing_ok=True)
        for path in self._previews.glob("*"):
            if path.name.partition("-")[0] not in kept:
                path.unlink(missing_ok=True)

    def _keep(
        self, source: BinaryIO, name: str, should_stop: Callable[[], bool]
    ) -> Attachment:
        head = source.read(HEAD)
        kind, suffix = kind_of(head, name)
        self._media.mkdir(parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_SH):
            new = self._media / f".new-{uuid.uuid4().hex}"
            try:
                digest = _copy(head, source, new, should_stop)
                folder = self._place(digest)
                folder.mkdir(exist_ok=True)
                # Its time is now, for the same file may have been forgotten long ago.
                os.replace(new, folder / f"{digest}{suffix}")
            finally:
                new.unlink(missing_ok=True)
        return Attachment(digest=digest, name=name, kind=kind)

    def _place(self, digest: str) -> Path:
        return self._media / digest[:2]

    @contextmanager
    def _locked(self, how: int) -> Iterator[bool]:
        """Many may add at a time, but none while something is removed.

        False where that would have to wait and shall not.
        """
        file = os.open(self._media / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(file, how)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)


def _copy(
    head: bytes, source: BinaryIO, path: Path, should_stop: Callable[[], bool]
) -> str:
    """Write it all and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("xb") as target:
        chunk = head
        while chunk:
            if should_stop():
                raise StoreError("The app was closed before the file was copied.")
            digest.update(chunk)
            target.write(chunk)
            chunk = source.read(_CHUNK)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()
