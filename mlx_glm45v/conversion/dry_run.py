"""What a conversion would write, what it takes, and which Macs run the result.

Works from a folder's headers, from a repository's listing, or from a config.json alone.
Fetches no weights, writes nothing. Knows disks and `memory`'s verdicts; knows no
arguments.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..checkpoints import DEMO
from ..config import Glm4vMoeConfig
from ..errors import ConversionError
from ..memory import METAL, Footprint, Machine, WeightSizes, verdicts
from ..memory.fitting import verdict
from ..memory.report import table, verdict_line, verdict_table
from ..memory.sizes import gigabytes
from ..parameters.recipes import Recipe
from ..progress import ShouldStop
from ..shards import INDEX_NAME, listed
from .beside import CARD_NAME, CHECKSUMS_NAME, CONFIG_NAME, copied_files
from .disk import existing_parent
from .lookup import Seen, look_at
from .pipeline import plan_conversion
from .plan import DTYPES, Plan
from .reader import BLOCK_NUMBERS
from .recipe_table import footprint_of
from .sizes import measure
from .target import check_target, replaced_bytes

# Beside Python and its libraries, whatever the model's size; a test holds it.
_PEAK_BYTES = 1_000_000_000
_FLOAT32 = 4


@dataclass(frozen=True)
class Disk:
    """`needed` bytes of the `free` ones on the disk of `folder`, and what for."""

    folder: Path
    needed: int
    free: int
    purpose: str

    @property
    def device(self) -> int:
        """Which disk it is: equal for folders of the same one."""
        return os.stat(existing_parent(self.folder)).st_dev


@dataclass(frozen=True)
class Assessment:
    """A conversion that could be carried out, and what is known of its source.

    `known_from` says what was looked at; `source_bytes` is None where nothing tells how
    large the source is.
    """

    source: str
    target: Path
    known_from: str
    source_bytes: int | None
    plan: Plan
    copied: tuple[str, ...]
    disks: tuple[Disk, ...]

    @property
    def sizes(self) -> WeightSizes:
        """Bytes of all arrays, which is what a Mac loads."""
        slots = (slot for file in self.plan.files for slot in file.slots)
        return WeightSizes.of({slot.array.name: slot.nbytes for slot in slots})

    @property
    def footprint(self) -> Footprint:
        """What a Mac needs to run the result, with 16k context and a picture."""
        config = Glm4vMoeConfig.from_dict(self.plan.config)
        return footprint_of(config, self.sizes.total)

    def check_disks(self) -> None:
        """Raise `ConversionError` where a disk has too little room for all of it."""
        for disk in self.disks:
            same = [other for other in self.disks if other.device == disk.device]
            needed = sum(other.needed for other in same)
            if needed > disk.free:
                raise ConversionError(
                    f"the disk of {disk.folder} has {gigabytes(disk.free)} free, "
                    f"{gigabytes(needed)} are needed "
                    f"({' and '.join(other.purpose for other in same)}); free "
                    f"{gigabytes(needed - disk.free)}, choose another disk or a recipe "
                    "with fewer bits"
                    + (", or --fetch-by-shard" if len(same) > 1 else "")
                )


def assess(
    source: str,
    target: str | Path,
    *,
    recipe: Recipe | None,
    search: bool = False,
    dtype: str | None = None,
    dequantize: bool = False,
    revision: str | None = None,
    by_shard: bool = False,
    overwrite: bool = False,
    should_stop: ShouldStop | None = None,
) -> Assessment:
    """Look at a folder, a repository id, a config.json file, or `"demo"`.

    Raises `CheckpointError`, `ConversionError` and `DownloadError` as the conversion
    itself would, but for the room on the disks (`Assessment.check_disks`).
    """
    target = Path(target).expanduser()
    path = Path(source).expanduser()
    local = source != DEMO and path.is_dir()
    check_target(target, source=path if local else None, overwrite=overwrite)
    seen = look_at(source, revision=revision, should_stop=should_stop)
    plan = plan_conversion(
        seen.checkpoint,
        recipe=recipe,
        search=search,
        dtype=dtype,
        dequantize=dequantize,
    )
    return Assessment(
        source=source,
        target=target,
        known_from=seen.known_from,
        source_bytes=plan.bytes_to_read if seen.has_headers else seen.weight_bytes,
        plan=plan,
        copied=tuple(copied_files(seen.checkpoint.folder)),
        disks=tuple(_disks(plan, target, seen, overwrite=overwrite, by_shard=by_shard)),
    )


def _disks(
    plan: Plan, target: Path, seen: Seen, *, overwrite: bool, by_shard: bool
) -> Iterator[Disk]:
    written = sum(
        path.stat().st_blocks * 512 for path in target.glob(".*.safetensors.part")
    )
    given_back = replaced_bytes(target) if overwrite else 0
    needed = max(0, plan.size - written - given_back)
    yield Disk(target, needed, _free(target), "the output")
    if not seen.to_fetch:
        return
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    if by_shard:
        two = sum(sorted(seen.to_fetch)[-2:])
        yield Disk(target, two, _free(target), "two of the source's files at a time")
    else:
        yield Disk(cache, sum(seen.to_fetch), _free(cache), "the source, fetched whole")


def _free(folder: Path) -> int:
    return shutil.disk_usage(existing_parent(folder)).free


def assessment_lines(assessment: Assessment, machine: Machine) -> Iterator[str]:
    """The whole answer of `--dry-run`, a line at a time.

    `machine` is the one this runs on; it gets a verdict of its own when it is a Mac.
    """
    plan, footprint = assessment.plan, assessment.footprint
    config = footprint.config
    sizes = measure(config, plan.recipe, dtype=DTYPES[plan.dtype])
    how = f"not quantised, {plan.dtype}"
    if plan.recipe is not None:
        how = f"recipe {plan.recipe.name} ({plan.recipe.summary})"
    if plan.search:
        how += ", with search"
    yield f"{assessment.source} -> {assessment.target}: {how}"
    yield f"known from {assessment.known_from}; nothing is written"
    yield "output"
    plural = "s" if len(plan.files) > 1 else ""
    yield (
        f"  weights      {gigabytes(plan.size)} in {len(plan.files)} file{plural}, "
        f"{plan.bits_per_weight:.2f} bits for each of {plan.count:,} weights"
    )
    yield f"  per token    {gigabytes(sizes.bytes_per_token)} of them are read"
    beside = (CONFIG_NAME, INDEX_NAME, CHECKSUMS_NAME, CARD_NAME, *assessment.copied)
    yield f"  beside them  {', '.join(beside)}"
    if plan.dropped:
        yield (
            f"  left out     {len(plan.dropped)} tensors that belong to no layer: "
            f"{listed(plan.dropped, limit=3)}"
        )
    yield "conversion"
    if assessment.source_bytes is not None:
        yield f"  reads        {gigabytes(assessment.source_bytes)}"
    block = gigabytes(BLOCK_NUMBERS * _FLOAT32)
    yield (
        f"  memory       at most {gigabytes(_PEAK_BYTES)} beside Python's own, in "
        f"blocks of {block}"
    )
    for disk in assessment.disks:
        yield (
            f"  disk         {gigabytes(disk.needed)} for {disk.purpose}; "
            f"{gigabytes(disk.free)} free for {disk.folder}"
        )
    yield "a Mac needs"
    yield from table(footprint)
    request = footprint.request
    yield (
        f"Macs, with a context of {request.context:,} tokens and a picture of "
        f"{request.image_tokens:,} among them"
    )
    yield from verdict_table(verdicts(footprint, assessment.sizes))
    if machine.backend == METAL:
        yield verdict_line(verdict(footprint, machine, assessment.sizes), footprint)
