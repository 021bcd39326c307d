"""Lists models with the planner's verdicts, and deletes, in a child process.

Knows the demo, folders, the Hub's cache and the table of known repositories. Asks no
network. Imports mlx, for what this machine offers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_glm45v import (
    Assessment,
    CachedRepo,
    Glm4vMoeConfig,
    Glm45vError,
    assess_folder,
    assess_size,
    cached_repos,
    delete_repo,
    discard_conversion,
    resolve,
)

from ..models import ModelEntry, ModelPlace
from .known import GLM_45V, KNOWN, KnownRepo

if TYPE_CHECKING:
    from ..processes.child import Channel


def serve(channel: Channel) -> None:
    """Answer until the input ends."""
    for request in channel:
        try:
            answer = _answer(request)
        except (Glm45vError, OSError) as error:
            answer = {"event": "failed", "problem": str(error)}
        channel.send(answer)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "discard":
        discard_conversion(Path(request["folder"]))
        return {"event": "deleted", "model": request["model"], "freed": 0}
    if request["do"] == "delete":
        name = request["model"]
        partial = {repo.repo_id for repo in cached_repos() if repo.state == "partial"}
        if request["only_partial"] and name not in partial:
            return {"event": "deleted", "model": name, "freed": 0}
        return {"event": "deleted", "model": name, "freed": delete_repo(name)}
    entries = list_models([Path(folder) for folder in request["folders"]])
    return {"event": "models", "entries": [asdict(entry) for entry in entries]}


def list_models(folders: Sequence[Path]) -> list[ModelEntry]:
    """The demo, the folders, what lies in the cache, and what could be fetched."""
    cached = {repo.repo_id: repo for repo in cached_repos()}
    entries = [_demo(), *(_folder(each) for each in _checkpoints(folders))]
    entries += [_known(known, cached.pop(known.repo_id, None)) for known in KNOWN]
    entries += [_other(repo) for repo in cached.values() if _is_glm(repo)]
    return entries


def _demo() -> ModelEntry:
    found = assess_folder(resolve("demo").folder)
    entry = ModelEntry("demo", "Demo", "demo", "ready", fetched=found.nbytes)
    return replace(_judged(entry, found), convertible=False)


def _checkpoints(folders: Sequence[Path]) -> Iterator[Path]:
    """A named folder is a model, or holds some."""
    for folder in folders:
        inside = sorted(each.parent for each in folder.glob("*/config.json"))
        if (folder / "config.json").exists() or not inside:
            yield folder
        else:
            yield from inside


def _folder(folder: Path) -> ModelEntry:
    return _looked_at(str(folder), folder.name, "folder", folder)


def _known(known: KnownRepo, cached: CachedRepo | None) -> ModelEntry:
    if cached is not None and cached.state == "complete" and cached.folder is not None:
        return _looked_at(known.repo_id, known.title, "hub", cached.folder)
    entry = ModelEntry(
        known.repo_id,
        known.title,
        "hub",
        "absent" if cached is None else "partial",
        size=known.size,
        fetched=0 if cached is None else cached.nbytes,
    )
    config = Glm4vMoeConfig.from_dict(GLM_45V)
    return _judged(entry, assess_size(config, known.size, bits=known.bits))


def _other(repo: CachedRepo) -> ModelEntry:
    title = repo.repo_id.split("/")[-1]
    if repo.state == "complete" and repo.folder is not None:
        return _looked_at(repo.repo_id, title, "hub", repo.folder)
    return ModelEntry(repo.repo_id, title, "hub", "partial", fetched=repo.nbytes)


def _is_glm(repo: CachedRepo) -> bool:
    """Whether the library could run it: the cache is shared with other programs."""
    if repo.folder is None:
        return False
    try:
        config = json.loads((repo.folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "glm4v_moe"


def _looked_at(name: str, title: str, place: ModelPlace, folder: Path) -> ModelEntry:
    entry = ModelEntry(name, title, place, "ready")
    try:
        found = assess_folder(folder)
    except Glm45vError as error:
        return replace(entry, on_disk="broken", problem=str(error))
    return _judged(replace(entry, fetched=found.nbytes), found)


def _judged(entry: ModelEntry, found: Assessment) -> ModelEntry:
    foreign = found.stored == "foreign"
    plan = found.verdict and found.verdict.experts
    return replace(
        entry,
        size=entry.size or found.nbytes,
        bits=found.bits,
        context_length=found.context_length,
        fits="unknown" if found.verdict is None else found.verdict.fits,
        pace=plan and plan.pace,
        sums=found.sums,
        problem="It has to be converted before it can run here." if foreign else None,
        convertible=found.stored != "mlx",
    )
