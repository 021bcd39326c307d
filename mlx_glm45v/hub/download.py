"""From a repository id to a folder in the Hub's local cache.

Knows the order: list, fetch the small files, let the caller look at them, fetch the
weights, name the revision. Access tokens, HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE are
huggingface_hub's, so that other tools find what was fetched here. Does not know models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    HFValidationError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import validate_repo_id

from ..errors import DownloadError
from ..progress import ProgressCallback, ShouldStop
from .advice import explain
from .asking import RETRY_WAITS, RemoteFile, is_transient
from .cache import CachedCommit
from .listing import NEEDED, list_files

logger = logging.getLogger(__name__)


class Unreachable(DownloadError):
    """The Hub did not answer; about the repository it said nothing."""


@dataclass(frozen=True)
class Repository:
    """One commit of a repository: its small files lie in `folder`, its weight files,
    by name, are still at the Hub."""

    repo_id: str
    commit: str
    folder: Path
    weights: Mapping[str, RemoteFile]


@dataclass(frozen=True)
class Preview:
    """A repository without its weights: its small files in `folder`, and how many bytes
    its weight files have."""

    folder: Path
    weight_bytes: int


def open_repository(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    should_stop: ShouldStop | None = None,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> Repository:
    """Fetch a repository's small files, for someone who will fetch the weights himself.

    Raises as `download` does, and `Unreachable` without a connection, whatever was
    fetched before.
    """
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    _check_repo_id(repo_id)
    try:
        return _open(repo_id, revision, cache, should_stop, retry_waits)
    except (httpx2.TransportError, OSError) as error:
        told = explain(error, repo_id=repo_id, revision=revision, cache=cache)
        if _is_offline(error):
            raise Unreachable(str(told)) from error
        raise told from error


def preview(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    should_stop: ShouldStop | None = None,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> Preview:
    """Fetch a repository's configs and the sizes of its weights, not the weights.

    Sizes are the Hub's listing's. Without a connection, the revision fetched last is
    used. Raises as `download` does.
    """
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    _check_repo_id(repo_id)
    try:
        repository = _open(repo_id, revision, cache, should_stop, retry_waits)
    except (httpx2.TransportError, OSError) as error:
        if _is_offline(error) and (
            folder := fetched_before(repo_id, revision=revision, cache_dir=cache)
        ):
            files = folder.glob("*.safetensors")
            return Preview(folder, sum(file.stat().st_size for file in files))
        raise explain(error, repo_id=repo_id, revision=revision, cache=cache) from error
    weights = repository.weights.values()
    return Preview(repository.folder, sum(remote.size for remote in weights))


def download(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_dir: Path | None = None,
    check: Callable[[Path], object] | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> Path:
    """Bring a checkpoint's files into the Hub cache and return their folder.

    What is there already is not fetched again; a file that was interrupted goes on
    where it stopped. The configs come first, and `check(folder)` may refuse them before
    any weights are fetched. Without a connection, the revision fetched last is used.
    Raises `DownloadError` that says what to do, or `Cancelled` within a second of
    `should_stop`.
    """
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    _check_repo_id(repo_id)
    try:
        listing = list_files(
            repo_id, revision=revision, should_stop=should_stop, retry_waits=retry_waits
        )
    except (httpx2.TransportError, OSError) as error:
        if _is_offline(error) and (
            folder := fetched_before(repo_id, revision=revision, cache_dir=cache)
        ):
            logger.warning("%s is used as fetched before: %s", repo_id, error)
            return folder
        raise explain(error, repo_id=repo_id, revision=revision, cache=cache) from error
    repository = CachedCommit(cache, repo_id, listing.commit)
    try:
        for weights in (False, True):
            files = listing.named(weights=weights)
            repository.fetch(
                files,
                progress=progress if weights else None,
                should_stop=should_stop,
                retry_waits=retry_waits,
            )
            repository.link(files)
            if check is not None and not weights:
                check(repository.snapshot)
        # Written last: what a revision's name leads to is complete.
        repository.name_revision(revision or constants.DEFAULT_REVISION)
    except (httpx2.TransportError, OSError) as error:
        raise explain(error, repo_id=repo_id, revision=revision, cache=cache) from error
    return repository.snapshot


def _open(
    repo_id: str,
    revision: str | None,
    cache: Path,
    should_stop: ShouldStop | None,
    retry_waits: Sequence[float],
) -> Repository:
    """List a repository, fetch its small files; raises what the Hub's client does."""
    listing = list_files(
        repo_id, revision=revision, should_stop=should_stop, retry_waits=retry_waits
    )
    commit = CachedCommit(cache, repo_id, listing.commit)
    configs = listing.named(weights=False)
    commit.fetch(
        configs, progress=None, should_stop=should_stop, retry_waits=retry_waits
    )
    commit.link(configs)
    weights = listing.named(weights=True)
    return Repository(repo_id, listing.commit, commit.snapshot, weights)


def _is_offline(error: Exception) -> bool:
    """Whether asking again later may help: what was fetched before is as good then."""
    return isinstance(error, OfflineModeIsEnabled) or is_transient(error)


def _check_repo_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise DownloadError(
            f"{repo_id!r} is neither a folder here nor a repository id such as "
            f"zai-org/GLM-4.5V: {error}"
        ) from error


def fetched_before(
    repo_id: str, *, revision: str | None = None, cache_dir: Path | None = None
) -> Path | None:
    """What was fetched of a revision earlier, None when that is not complete.

    Asks nobody.
    """
    try:
        return Path(
            snapshot_download(
                repo_id,
                revision=revision,
                cache_dir=cache_dir,
                local_files_only=True,
                allow_patterns=list(NEEDED),
            )
        )
    except (LocalEntryNotFoundError, IncompleteSnapshotError):
        return None
