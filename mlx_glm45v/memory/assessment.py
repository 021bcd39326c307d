"""A model on this machine, for whoever lists models: does it fit, and by which sum.

Reads headers at most; asks no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..checkpoints import read_checkpoint
from ..config import Glm4vMoeConfig
from ..errors import CheckpointError
from .fitting import verdict
from .footprint import smallest_footprint
from .machine import Machine, this_machine
from .report import Verdict, table, verdict_line
from .weights import WeightSizes, weight_sizes, weight_sizes_of_files


@dataclass(frozen=True)
class Assessment:
    """What a model takes here at least: a context of 4,096 tokens and one picture.

    `sums` are the lines of the sum, the verdict in words last. `stored` says what the
    weights are: "mlx" (quantised for MLX), "floats", or "foreign" (another maker's
    quantisation, which has to be converted before it can run: no `verdict` then).
    `nbytes` are the weights on disk.
    """

    stored: Literal["mlx", "floats", "foreign"]
    nbytes: int
    context_length: int
    bits: float | None
    verdict: Verdict | None
    sums: tuple[str, ...]


def assess_folder(folder: Path, *, machine: Machine | None = None) -> Assessment:
    """Look at a checkpoint's folder. Raises `CheckpointError`."""
    checkpoint = read_checkpoint(Path(folder))
    config = Glm4vMoeConfig.from_dict(checkpoint.config)
    if checkpoint.quant_method is not None:
        return Assessment(
            "foreign", checkpoint.nbytes, config.context_length, None, None, ()
        )
    machine = machine or this_machine()
    try:
        sizes = weight_sizes_of_files(
            checkpoint, config, float_bytes=machine.backend.float_bytes
        )
    except ValueError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    return _assessed(
        config,
        sizes,
        machine,
        stored="floats" if checkpoint.quantization is None else "mlx",
        nbytes=checkpoint.nbytes,
        bits=_bits_of(checkpoint.quantization),
    )


def assess_size(
    config: Glm4vMoeConfig,
    nbytes: int,
    *,
    bits: float | None = None,
    machine: Machine | None = None,
) -> Assessment:
    """The same for a model that is not here, from its config and its weights' size."""
    machine = machine or this_machine()
    even = weight_sizes(config, None)
    # As if all parameters had the same bits: near enough for a first word.
    sizes = WeightSizes(
        trunk=even.trunk * nbytes // even.total,
        experts=tuple(size * nbytes // even.total for size in even.experts),
    )
    return _assessed(config, sizes, machine, stored="mlx", nbytes=nbytes, bits=bits)


def _assessed(
    config: Glm4vMoeConfig,
    sizes: WeightSizes,
    machine: Machine,
    *,
    stored: Literal["mlx", "floats"],
    nbytes: int,
    bits: float | None,
) -> Assessment:
    needed = smallest_footprint(config, weights=sizes.total, backend=machine.backend)
    found = verdict(needed, machine, sizes)
    sums = (*(line.strip() for line in table(needed)), verdict_line(found, needed))
    return Assessment(stored, nbytes, config.context_length, bits, found, sums)


def _bits_of(quantization: Mapping[str, Any] | None) -> float | None:
    bits = (quantization or {}).get("bits")
    return float(bits) if isinstance(bits, int | float) else None
