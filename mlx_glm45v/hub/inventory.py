"""What lies in the Hub's local cache, and taking it away.

Knows the cache's layout (see `cache`) and asks nobody. Does not know models.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from ..errors import DownloadError

_PREFIX = "models--"


@dataclass(frozen=True)
class CachedRepo:
    """A repository of which something lies in the cache.

    `nbytes` are on disk, part files included. `state` is "complete" where a revision
    has all its weight files. `folder` is that revision's, or one with a config.json at
    least, else None.
    """

    repo_id: str
    nbytes: int
    state: Literal["complete", "partial"]
    folder: Path | None


def cached_repos(*, cache_dir: Path | None = None) -> tuple[CachedRepo, ...]:
    """Every model's repository in the cache, by name."""
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    if not cache.is_dir():
        return ()
    folders = sorted(folder for folder in cache.glob(f"{_PREFIX}*") if folder.is_dir())
    return tuple(_looked_at(folder) for folder in folders)


def delete_repo(repo_id: str, *, cache_dir: Path | None = None) -> int:
    """Remove all revisions of a repository from the cache; returns the bytes freed.

    Raises:
        DownloadError: nothing of it is there, or it cannot be removed.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise DownloadError(f"{repo_id!r} is no repository id: {error}") from error
    cache = Path(cache_dir or constants.HF_HUB_CACHE)
    folder = cache / (_PREFIX + repo_id.replace("/", "--"))
    if not folder.is_dir():
        raise DownloadError(f"nothing of {repo_id} lies in {cache}")
    nbytes = _bytes_below(folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be removed: {error.strerror}") from error
    return nbytes


def _looked_at(folder: Path) -> CachedRepo:
    named = set(_commits_named(folder))
    snapshots = sorted(folder.glob("snapshots/*"), key=lambda each: each.name in named)
    complete = [each for each in snapshots if _has_all_weights(each)]
    with_config = [each for each in snapshots if (each / "config.json").exists()]
    return CachedRepo(
        repo_id=folder.name.removeprefix(_PREFIX).replace("--", "/"),
        nbytes=_bytes_below(folder),
        state="complete" if complete else "partial",
        folder=(complete or with_config or [None])[-1],
    )


def _commits_named(folder: Path) -> Iterator[str]:
    """What branches and tags lead to."""
    for reference in folder.glob("refs/**/*"):
        if reference.is_file():
            yield reference.read_text().strip()


def _has_all_weights(snapshot: Path) -> bool:
    """Links whose blobs are missing do not exist."""
    index = snapshot / "model.safetensors.index.json"
    if not (snapshot / "config.json").exists():
        return False
    if not index.exists():
        return any(file.exists() for file in snapshot.glob("*.safetensors"))
    try:
        files = set(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(files) and all((snapshot / str(name)).exists() for name in files)


def _bytes_below(folder: Path) -> int:
    """Bytes of the files themselves; a snapshot's links count nothing."""
    files = (each for each in folder.rglob("*") if not each.is_symlink())
    return sum(file.stat().st_size for file in files if file.is_file())
