"""What to tell people when the Hub, the network or the disk fails them."""

from __future__ import annotations

import errno
from pathlib import Path

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..errors import DownloadError


def explain(
    error: Exception,
    *,
    repo_id: str,
    revision: str | None,
    cache: Path,
    other_disk: str = "set HF_HOME to a folder on a larger disk",
) -> DownloadError:
    """The error for people: what failed and what to do about it.

    `cache` is where the files go, `other_disk` how somewhere else is chosen.
    """
    return DownloadError(_advice(error, repo_id, revision or "main", cache, other_disk))


def _advice(
    error: Exception, repo_id: str, revision: str, cache: Path, other_disk: str
) -> str:
    kept = "what was fetched is kept, start again to go on from there"
    match error:
        case OfflineModeIsEnabled():
            return (
                f"{repo_id} is not in {cache} and HF_HUB_OFFLINE forbids fetching it; "
                "unset HF_HUB_OFFLINE, or give a local folder"
            )
        case GatedRepoError():
            return (
                f"{repo_id} is given only to people who accepted its terms: accept "
                f"them on https://huggingface.co/{repo_id}, then `hf auth login` "
                "(or HF_TOKEN)"
            )
        case RevisionNotFoundError():
            return (
                f"{repo_id} has no revision {revision!r}; name one of its branches, "
                f"tags or commits (https://huggingface.co/{repo_id}/tree/main)"
            )
        case RepositoryNotFoundError():
            return (
                f"the Hub has no repository {repo_id}, and there is no folder "
                f"{Path(repo_id).absolute()} either; check the spelling, or "
                "`hf auth login` (or HF_TOKEN) if the repository is private"
            )
        case HfHubHTTPError():
            return _advice_on_status(error.response.status_code, repo_id, kept)
        case httpx2.TransportError():
            return (
                f"the Hub cannot be reached for {repo_id} ({error}); check the network "
                f"(and HF_ENDPOINT, if set), or give a local folder; {kept}"
            )
        case OSError(errno=errno.ENOSPC):
            return f"the disk of {cache} is full; make room, or {other_disk}; {kept}"
        case _:
            return f"{repo_id} cannot be written to {cache}: {error}; {kept}"


def _advice_on_status(status: int, repo_id: str, kept: str) -> str:
    if status in (401, 403):
        return (
            f"the Hub refuses access to {repo_id} (status {status}); `hf auth login` "
            "(or HF_TOKEN) with an account that may read it"
        )
    if status == 429:
        return (
            f"the Hub asks for a pause (429) at {repo_id}; wait a few minutes; {kept}"
        )
    if status >= 500:
        return f"the Hub has a fault (status {status}) at {repo_id}; try later; {kept}"
    return f"the Hub answers {status} for {repo_id}; check HF_ENDPOINT; {kept}"
