"""One commit of a repository in the Hub's local cache.

Knows the cache's layout, which huggingface_hub documents and other tools share
(https://huggingface.co/docs/huggingface_hub/guides/manage-cache): blobs by checksum,
snapshots of links to them, references from a branch's name to a commit.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.utils import build_hf_headers

from ..errors import DownloadError
from ..progress import Progress, ProgressCallback, ShouldStop
from .asking import RemoteFile
from .background import Job, run_jobs
from .transfer import fetch, part_of

# One connection seldom fills a fast line; more than a few make the Hub say 429.
_CONNECTIONS = 4


@dataclass(frozen=True)
class CachedCommit:
    """One commit of a repository in the cache: blobs by checksum, names as links."""

    cache: Path
    repo_id: str
    commit: str

    @property
    def folder(self) -> Path:
        return self.cache / f"models--{self.repo_id.replace('/', '--')}"

    @property
    def snapshot(self) -> Path:
        return self.folder / "snapshots" / self.commit

    def blob(self, remote: RemoteFile) -> Path:
        return self.folder / "blobs" / remote.digest

    def fetch(
        self,
        files: Mapping[str, RemoteFile],
        *,
        progress: ProgressCallback | None,
        should_stop: ShouldStop | None,
        retry_waits: Sequence[float],
    ) -> None:
        """Fetch what is missing of `files`, several at a time, into the blobs."""
        missing = {n: r for n, r in files.items() if not self.blob(r).exists()}
        self._check_disk(missing.values())
        headers = build_hf_headers(library_name="mlx-glm45v")
        total = sum(remote.size for remote in files.values())
        sizes = {n: 0 if n in missing else remote.size for n, remote in files.items()}

        def job(name: str, remote: RemoteFile) -> Job:
            def run(stop: threading.Event) -> None:
                fetch(
                    remote,
                    self.blob(remote),
                    headers=headers,
                    stop=stop,
                    on_size=lambda size: sizes.__setitem__(name, size),
                    retry_waits=retry_waits,
                )

            return run

        def report() -> None:
            if progress is not None:
                at_work = [n for n, r in missing.items() if 0 < sizes[n] < r.size]
                item = at_work[0] if at_work else self.repo_id
                progress(Progress("download", sum(sizes.values()), total, item))

        report()
        run_jobs(
            [job(name, remote) for name, remote in missing.items()],
            workers=_CONNECTIONS,
            should_stop=should_stop,
            on_tick=report,
        )

    def _check_disk(self, missing: Iterable[RemoteFile]) -> None:
        needed = sum(
            remote.size - _size(part_of(self.blob(remote))) for remote in missing
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DownloadError(
                f"{self.repo_id} needs {needed / 1e9:.1f} GB more on the disk of "
                f"{self.cache}, {free / 1e9:.1f} GB are free; make room, or set "
                "HF_HOME to a folder on a larger disk"
            )

    def link(self, files: Mapping[str, RemoteFile]) -> None:
        """Give the blobs their names in the snapshot folder."""
        self.snapshot.mkdir(parents=True, exist_ok=True)
        for name, remote in files.items():
            pointer = self.snapshot / name
            if not pointer.exists():
                pointer.unlink(missing_ok=True)
                pointer.symlink_to(os.path.relpath(self.blob(remote), self.snapshot))

    def name_revision(self, revision: str) -> None:
        """Let a branch's or tag's name lead to this commit."""
        if revision == self.commit or ".." in Path(revision).parts:
            return
        reference = self.folder / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        temporary = reference.with_name(f"{reference.name}.{os.getpid()}")
        temporary.write_text(self.commit)
        temporary.replace(reference)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
