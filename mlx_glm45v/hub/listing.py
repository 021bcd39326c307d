"""Which files of a repository make a checkpoint, with their sizes and checksums.

Asks the Hub once and fetches nothing. Access tokens and HF_ENDPOINT are
huggingface_hub's.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.hf_api import RepoSibling

from ..errors import DownloadError
from ..progress import ShouldStop
from .asking import RETRY_WAITS, RemoteFile, ask
from .background import run_jobs

# What loading and conversion read; everything else of a repository stays there.
NEEDED = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
    "*.safetensors",
)
_WEIGHTS = "*.safetensors"
_LIST_TIMEOUT_SECONDS = 10.0
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Listing:
    """The needed files of one commit, by their path in the repository."""

    commit: str
    files: Mapping[str, RemoteFile]

    def named(self, *, weights: bool) -> dict[str, RemoteFile]:
        """The weight files, or all others."""
        return {
            name: remote
            for name, remote in self.files.items()
            if fnmatchcase(name, _WEIGHTS) is weights
        }


def list_files(
    repo_id: str,
    *,
    revision: str | None = None,
    should_stop: ShouldStop | None = None,
    retry_waits: Sequence[float] = RETRY_WAITS,
) -> Listing:
    """Ask the Hub which files a repository has, with sizes and checksums.

    Raises huggingface_hub's and httpx's errors, and `DownloadError` when the repository
    holds no weights that could be read.
    """
    endpoint = os.environ.get("HF_ENDPOINT") or None
    found: list[Listing] = []

    def job(stop: threading.Event) -> None:
        info = ask(
            lambda: HfApi(endpoint=endpoint).model_info(
                repo_id,
                revision=revision,
                files_metadata=True,
                timeout=_LIST_TIMEOUT_SECONDS,
            ),
            stop=stop,
            retry_waits=retry_waits,
        )
        commit = info.sha or ""
        files = {
            sibling.rfilename: _remote(sibling, repo_id, commit, endpoint)
            for sibling in info.siblings or ()
            if _is_needed(sibling.rfilename)
        }
        found.append(Listing(commit, files))

    run_jobs([job], should_stop=should_stop)
    listing = found[0]
    if "config.json" not in listing.files or not listing.named(weights=True):
        raise DownloadError(
            f"{repo_id} holds no config.json with *.safetensors; name a repository "
            "with weights in the Hugging Face or MLX format, such as zai-org/GLM-4.5V"
        )
    return listing


def _is_needed(name: str) -> bool:
    return "/" not in name and any(fnmatchcase(name, pattern) for pattern in NEEDED)


def _remote(
    sibling: RepoSibling, repo_id: str, commit: str, endpoint: str | None
) -> RemoteFile:
    name = sibling.rfilename
    digest = (sibling.lfs.sha256 if sibling.lfs else sibling.blob_id) or ""
    size = sibling.lfs.size if sibling.lfs else sibling.size
    # Both become file names, so they are looked at closely.
    if size is None or not _DIGEST.fullmatch(digest) or not _DIGEST.fullmatch(commit):
        raise DownloadError(
            f"the Hub gives no size or checksum for {name} of {repo_id}; check that "
            "HF_ENDPOINT points to a Hub that lists them"
        )
    return RemoteFile(
        url=hf_hub_url(repo_id, name, revision=commit, endpoint=endpoint),
        size=size,
        digest=digest,
        kind="sha256" if sibling.lfs else "git",
    )
