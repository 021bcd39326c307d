"""`convert`: from a name to a converted folder.

Knows names, folders, progress and stopping; the work is `run`'s. Prints nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..checkpoints import (
    DEMO,
    Checkpoint,
    find_folder,
    quantization_of,
    read_checkpoint,
    read_config,
)
from ..errors import Cancelled, ConversionError
from ..parameters.recipes import Recipe, find_recipe
from ..progress import Progress, ProgressCallback, ShouldStop
from ..shards import INDEX_NAME, listed
from .beside import (
    CARD_NAME,
    CHECKSUMS_NAME,
    CONFIG_NAME,
    checksums_document,
    config_document,
    copied_files,
)
from .card import command_line, model_card
from .foreign import check_quantization
from .layout import index_document
from .plan import Plan, make_plan
from .run import Limits, Run
from .source_files import SourceFiles
from .target import check_target

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConversionSummary:
    """What a conversion wrote.

    `nbytes` and `bits_per_weight` are of the weight files, `parameters` counts numbers.
    `bytes_read` of the source were read by this run, `bytes_kept` had been dealt with
    by earlier ones. `dropped` names the tensors that belong to no layer of the model.
    """

    folder: Path
    recipe: str | None
    dtype: str
    files: tuple[str, ...]
    nbytes: int
    parameters: int
    bits_per_weight: float
    bytes_read: int
    bytes_kept: int
    dropped: tuple[str, ...]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    recipe: str | Recipe | None = None,
    search: bool = False,
    dtype: str | None = None,
    dequantize: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> ConversionSummary:
    """Convert a checkpoint to the MLX layout, in memory that its size has no part in.

    `source` is `"demo"`, a folder or a repository id (`revision`: a branch, tag or
    commit), in any form that is published: bf16, fp16, fp32, FP8, MLX. `recipe` is a
    name of `RECIPES` or a value; None writes floats, which quantised sources need
    `dequantize` for. `dtype` (bfloat16, float16, float32) is that of floats, scales and
    biases, by default the source's. `search` looks for better scales.

    A run that was interrupted is gone on with when it is started again with the same
    values. Raises `CheckpointError`, `ConversionError`, `DownloadError`, or `Cancelled`
    within a second of `should_stop`.
    """
    target = Path(target).expanduser()
    local = source != DEMO and Path(source).expanduser().is_dir()
    check_target(
        target,
        source=Path(source).expanduser() if local else None,
        overwrite=overwrite,
    )
    folder = find_folder(
        source,
        revision=revision,
        check=check_config,
        progress=progress,
        should_stop=should_stop,
    )
    checkpoint = read_checkpoint(folder)
    plan = plan_conversion(
        checkpoint, recipe=recipe, search=search, dtype=dtype, dequantize=dequantize
    )
    name = folder.resolve().name if local else str(source)
    command = command_line(
        name,
        target.name,
        recipe=plan.recipe,
        search=search,
        dequantize=dequantize,
        dtype=dtype,
        revision=revision,
    )
    return convert_plan(
        plan,
        target,
        source_name=name,
        command=command,
        overwrite=overwrite,
        progress=progress,
        should_stop=should_stop,
    )


def plan_conversion(
    checkpoint: Checkpoint,
    *,
    recipe: str | Recipe | None,
    search: bool = False,
    dtype: str | None = None,
    dequantize: bool = False,
) -> Plan:
    """The plan for these wishes; refuses those that contradict each other."""
    if isinstance(recipe, str):
        try:
            recipe = find_recipe(recipe)
        except ValueError as error:
            raise ConversionError(str(error)) from error
    if recipe is not None and dequantize:
        raise ConversionError(
            f"quantise with {recipe.name} or dequantise: one of the two, not both"
        )
    quantised = checkpoint.quantization is not None or checkpoint.quant_method
    if recipe is None and quantised and not dequantize:
        raise ConversionError(
            f"{checkpoint.folder} holds quantised weights: choose a recipe to quantise "
            "them anew, or dequantise them (--dequantize)"
        )
    return make_plan(checkpoint, recipe=recipe, search=search, dtype=dtype)


def convert_plan(
    plan: Plan,
    target: Path,
    *,
    source_name: str,
    command: str,
    overwrite: bool = False,
    identity: Mapping[str, Any] | None = None,
    source_files: SourceFiles | None = None,
    limits: Limits | None = None,
    progress: ProgressCallback | None = None,
    should_stop: ShouldStop | None = None,
) -> ConversionSummary:
    """Carry a plan out, or go on with it; see `convert`.

    `identity` and `source_files` stand for files that are not on this machine before
    they are read, nor after.
    """
    source = plan.checkpoint.folder
    check_target(target, source=source, overwrite=overwrite)
    copied = copied_files(source)

    def beside(checksums: Mapping[str, list[int]]) -> dict[str, bytes]:
        card = model_card(
            plan, source=source_name, command=command, version=__version__
        )
        files = {
            **copied,
            CONFIG_NAME: config_document(plan.config),
            INDEX_NAME: index_document(plan.files, plan.count),
            CARD_NAME: card.encode(),
        }
        return {**files, CHECKSUMS_NAME: checksums_document(checksums, files)}

    if plan.dropped:
        logger.warning(
            "%s: %d tensors are left out, they belong to no layer of this model: %s",
            source,
            len(plan.dropped),
            listed(plan.dropped, limit=3),
        )
    run = Run(
        plan,
        target,
        identity=files_identity(plan) if identity is None else identity,
        beside=beside,
        overwrite=overwrite,
        source_files=source_files,
        limits=limits,
    )
    for step in run.steps():
        if progress is not None:
            progress(Progress("convert", step.done, step.total, step.item))
        if should_stop is not None and should_stop():
            raise Cancelled(
                f"the conversion was stopped after {step.done} of {step.total} bytes; "
                "started again it goes on from there"
            )
    return ConversionSummary(
        folder=target,
        recipe=plan.recipe.name if plan.recipe else None,
        dtype=plan.dtype,
        files=tuple(file.name for file in plan.files),
        nbytes=plan.size,
        parameters=plan.count,
        bits_per_weight=plan.bits_per_weight,
        bytes_read=run.bytes_read,
        bytes_kept=run.bytes_kept,
        dropped=plan.dropped,
    )


def files_identity(plan: Plan) -> dict[str, list[int]]:
    """Size and time of change of every source file, by its name."""
    files = {file for piece in plan.pieces for file in piece.span.files}
    stats = {file.name: file.stat() for file in sorted(files)}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def check_config(folder: Path) -> None:
    """Refuse what could not be read before its weights are fetched."""
    path = folder / CONFIG_NAME
    config = read_config(folder)
    _, quant_method = quantization_of(config, path)
    check_quantization(config, quant_method, path)
