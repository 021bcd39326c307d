"""`--fetch-by-shard`: a repository is converted without ever lying on the disk whole.

Fetches the headers of all weight files first, so that everything is planned before the
first of them comes, and says what it will take. Knows listings, headers and disks; the
coming and going is `arriving`'s, the conversion `pipeline`'s.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints import Checkpoint, is_repo_id, read_checkpoint
from ..errors import ConversionError
from ..hub.arrivals import Arrivals
from ..hub.asking import RETRY_WAITS
from ..hub.download import open_repository
from ..parameters.recipes import Recipe
from ..progress import ProgressCallback, ShouldStop
from ..safetensors_header import LENGTH_BYTES, Header, parse_header, table_length
from .arriving import AT_A_TIME, ArrivingFiles, noted_commit
from .card import command_line
from .disk import existing_parent
from .journal import JOURNAL_NAME
from .pieces import most_files_at_once
from .pipeline import ConversionSummary, check_config, convert_plan, plan_conversion
from .plan import Plan
from .target import SOURCE_FOLDER, check_target

# A run takes hours; a line that is gone for minutes should not end it.
PATIENT_WAITS = (*RETRY_WAITS, 30.0, 60.0, 60.0, 60.0, 60.0)


@dataclass(frozen=True)
class FetchNeeds:
    """What converting a repository file by file takes, in bytes.

    `to_fetch` of `shards` files over the network, `output` and `at_a_time` (the two
    largest files) on the disk of `target`, where `there` bytes of them lie already and
    `free` are free.
    """

    target: Path
    shards: int
    to_fetch: int
    output: int
    at_a_time: int
    there: int
    free: int

    def __str__(self) -> str:
        there = f"{_gb(self.there)} of it there already, " if self.there else ""
        return (
            f"{_gb(self.to_fetch)} in {self.shards} files are fetched one by one and "
            f"deleted again; the disk of {self.target} holds "
            f"{_gb(self.output + self.at_a_time)} at most ({_gb(self.output)} of "
            f"output, {_gb(self.at_a_time)} for {AT_A_TIME} of the files; {there}"
            f"{_gb(self.free)} free)"
        )


def convert_by_shard(
    repo_id: str,
    target: str | Path,
    *,
    recipe: str | Recipe | None = None,
    search: bool = False,
    dtype: str | None = None,
    dequantize: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    announce: Callable[[FetchNeeds], object] | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
    cache_dir: Path | None = None,
    retry_waits: Sequence[float] = PATIENT_WAITS,
) -> ConversionSummary:
    """Convert a repository of the Hub with room for the output and two of its files.

    Each weight file is fetched into the target's folder, verified, converted, compared
    with what was written of it, and deleted, while the next one is on its way. The
    result is that of `convert`, byte for byte. `announce` gets the numbers before any
    weights are fetched; `progress` gets stages "download" and "convert", the bytes of
    each counted over all files. `cache_dir` is for the small files.

    A run that was interrupted is gone on with when it is started again, from the same
    commit if no `revision` is named, and fetches nothing twice. Raises as `convert`
    does; `ConversionError` for a source that is not at the Hub, or whose files could
    not be converted two at a time.
    """
    target = Path(target).expanduser()
    if not is_repo_id(repo_id):
        raise ConversionError(
            f"{repo_id} is no repository of the Hub, there is nothing to fetch; "
            "convert it without --fetch-by-shard"
        )
    check_target(target, source=None, overwrite=overwrite)
    folder = target / SOURCE_FOLDER
    begun_with = None
    if revision is None and (target / JOURNAL_NAME).exists():
        begun_with = noted_commit(folder, repo_id)
    arrivals, checkpoint = _read_headers(
        repo_id,
        folder,
        revision=revision or begun_with,
        cache_dir=cache_dir,
        should_stop=should_stop,
        retry_waits=retry_waits,
    )
    plan = plan_conversion(
        checkpoint, recipe=recipe, search=search, dtype=dtype, dequantize=dequantize
    )
    _check_order(plan, repo_id)
    weights = arrivals.repository.weights
    needed = {file for piece in plan.pieces for file in piece.span.files}
    sizes = {file: weights[file.name].size for file in sorted(needed)}
    if announce is not None:
        announce(fetch_needs(plan, sizes, target))
    files = ArrivingFiles(arrivals, sizes, progress=progress, should_stop=should_stop)
    try:
        return convert_plan(
            plan,
            target,
            source_name=repo_id,
            command=command_line(
                repo_id,
                target.name,
                recipe=plan.recipe,
                search=search,
                dequantize=dequantize,
                dtype=dtype,
                revision=revision,
            ),
            overwrite=overwrite,
            identity={file.name: weights[file.name].digest for file in sizes},
            source_files=files,
            progress=progress,
            should_stop=should_stop,
        )
    finally:
        files.close()


def fetch_needs(plan: Plan, sizes: Mapping[Path, int], target: Path) -> FetchNeeds:
    """The numbers of a plan whose source files have these sizes."""
    lying = [*target.glob(".*.part"), *target.glob(f"{SOURCE_FOLDER}/*")]
    return FetchNeeds(
        target=target,
        shards=len(sizes),
        to_fetch=sum(sizes.values()),
        output=plan.size,
        at_a_time=sum(sorted(sizes.values())[-AT_A_TIME:]),
        there=sum(path.stat().st_blocks * 512 for path in lying),
        free=shutil.disk_usage(existing_parent(target)).free,
    )


def _read_headers(
    repo_id: str,
    folder: Path,
    *,
    revision: str | None,
    cache_dir: Path | None,
    should_stop: ShouldStop | None,
    retry_waits: Sequence[float],
) -> tuple[Arrivals, Checkpoint]:
    """The checkpoint as if its weight files lay in `folder`, and how to get them."""
    repository = open_repository(
        repo_id,
        revision=revision,
        cache_dir=cache_dir,
        should_stop=should_stop,
        retry_waits=retry_waits,
    )
    check_config(repository.folder)
    arrivals = Arrivals(repository, folder, retry_waits)
    sizes = {folder / name: remote.size for name, remote in repository.weights.items()}
    starts = arrivals.read_starts(
        {file.name: LENGTH_BYTES for file in sizes}, should_stop=should_stop
    )
    lengths = {
        file: table_length(file, starts[file.name], size=size)
        for file, size in sizes.items()
    }
    starts = arrivals.read_starts(
        {file.name: LENGTH_BYTES + length for file, length in lengths.items()},
        should_stop=should_stop,
    )
    headers: dict[Path, Header] = {
        file: parse_header(file, starts[file.name][LENGTH_BYTES:], size=size)
        for file, size in sizes.items()
    }
    return arrivals, read_checkpoint(repository.folder, headers=headers)


def _check_order(plan: Plan, repo_id: str) -> None:
    """Weights may lie in one file and their scales in the next, but not further off."""
    if (most := most_files_at_once(plan.pieces)) > AT_A_TIME:
        raise ConversionError(
            f"the files of {repo_id} hold weights and their scales so far apart that "
            f"{most} of them are needed at a time; convert it without --fetch-by-shard"
        )


def _gb(nbytes: int) -> str:
    return f"{nbytes / 1e9:.2f} GB"
