"""Weight files of a repository that come one at a time, to a folder of the caller's.

Knows their first bytes, their transfers in the background and what to tell people when
one fails. Does not know what the files hold, nor when one is needed or done with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub.utils import build_hf_headers

from ..errors import DownloadError
from ..progress import ShouldStop
from .advice import explain
from .asking import RETRY_WAITS, read_start
from .background import Background, Job, run_jobs
from .download import Repository
from .transfer import fetch

_CONNECTIONS = 4
_OTHER_DISK = "choose a target on a larger disk"


@dataclass(frozen=True)
class Arrivals:
    """The weight files of `repository`, on their way into `folder`."""

    repository: Repository
    folder: Path
    retry_waits: Sequence[float] = RETRY_WAITS

    def read_starts(
        self, counts: Mapping[str, int], *, should_stop: ShouldStop | None = None
    ) -> dict[str, bytes]:
        """The first bytes of files, so many of each; nothing is written.

        Raises `DownloadError` or `Cancelled`.
        """
        found: dict[str, bytes] = {}
        headers = self._headers()

        def job(name: str, count: int) -> Job:
            def run(stop: threading.Event) -> None:
                found[name] = read_start(
                    self.repository.weights[name],
                    count,
                    headers=headers,
                    stop=stop,
                    retry_waits=self.retry_waits,
                )

            return run

        try:
            run_jobs(
                [job(name, count) for name, count in counts.items()],
                workers=_CONNECTIONS,
                should_stop=should_stop,
            )
        except (httpx2.TransportError, OSError) as error:
            raise self._explained(error) from error
        return found

    def begin(self, name: str, on_size: Callable[[int], None]) -> Background:
        """Fetch a file in the background, going on from what lies in the folder.

        `on_size` gets the bytes that are there, from another thread.
        """

        def run(stop: threading.Event) -> None:
            fetch(
                self.repository.weights[name],
                self.folder / name,
                headers=self._headers(),
                stop=stop,
                on_size=on_size,
                retry_waits=self.retry_waits,
            )

        return Background(run)

    def wait(
        self,
        transfer: Background,
        *,
        should_stop: ShouldStop | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        """Return when a transfer is done; raises `DownloadError` or `Cancelled`."""
        try:
            transfer.wait(should_stop=should_stop, on_tick=on_tick)
        except (httpx2.TransportError, OSError) as error:
            raise self._explained(error) from error

    def _headers(self) -> dict[str, str]:
        return build_hf_headers(library_name="mlx-glm45v")

    def _explained(self, error: Exception) -> DownloadError:
        return explain(
            error,
            repo_id=self.repository.repo_id,
            revision=self.repository.commit,
            cache=self.folder,
            other_disk=_OTHER_DISK,
        )
