"""Which stored tensors fill which parameters, decided from headers before any is read.

Compares a checkpoint's names, shapes and dtypes with what a model expects and reports
all differences at once. Reads no weights and knows no arrays, so that a folder of 215
GB that does not fit is refused within a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from .checkpoints import Checkpoint
from .errors import CheckpointError
from .model.weights import Target, layer_of, targets
from .safetensors_header import TensorInfo
from .shards import listed

FLOATS = frozenset({"F32", "F16", "BF16"})
_SHOWN = 10


@dataclass(frozen=True)
class Expected:
    """What a model wants of a parameter: its shape and the stored dtypes it takes."""

    shape: tuple[int, ...]
    dtypes: Set[str] = FLOATS


@dataclass(frozen=True)
class Source:
    """A stored tensor and the part of a parameter it fills."""

    name: str
    info: TensorInfo
    target: Target


@dataclass(frozen=True)
class Match:
    """The sources of every parameter by key, experts in their order.

    `dropped` names stored tensors that are left out: layers beyond the config's number
    (multi-token prediction), computed values, the head of tied embeddings.
    """

    sources: Mapping[str, tuple[Source, ...]]
    dropped: tuple[str, ...]


def match(
    checkpoint: Checkpoint, expected: Mapping[str, Expected], *, num_hidden_layers: int
) -> Match:
    """Pair every parameter with its stored tensors, strictly.

    Raises `CheckpointError` that lists unknown, surplus, misshapen and missing tensors
    with their files, ten at most, and counts them all.
    """
    tied = "language_model.lm_head.weight" not in expected
    found: dict[str, dict[int | None, Source]] = defaultdict(dict)
    problems: list[str] = []
    dropped: list[str] = []
    for name, info in checkpoint.tensors.items():
        parts = targets(name, layout=checkpoint.format)
        if parts is None:
            problems.append(f"{info.file.name}: {name} is not a tensor of this model")
            continue
        if not parts or _is_left_out(parts[0].key, num_hidden_layers, tied=tied):
            dropped.append(name)
            continue
        for source in (Source(name, info, part) for part in parts):
            problem = _misfit(source, expected, found)
            if problem:
                problems.append(f"{info.file.name}: {problem}")
            found[source.target.key].setdefault(source.target.expert, source)
    problems.extend(_missing(expected, found))
    if problems:
        shown = "\n  ".join(problems[:_SHOWN])
        rest = len(problems) - _SHOWN
        raise CheckpointError(
            f"{checkpoint.folder} does not fit its config.json, {len(problems)} "
            f"differences:\n  {shown}"
            + (f"\n  and {rest} more" if rest > 0 else "")
            + "\nfetch or convert it again, or check config.json"
        )
    return Match(
        sources={key: _in_order(found[key]) for key in expected}, dropped=tuple(dropped)
    )


def _is_left_out(key: str, num_hidden_layers: int, *, tied: bool) -> bool:
    layer = layer_of(key)
    if layer is not None and layer >= num_hidden_layers:
        return True
    return tied and key.startswith("language_model.lm_head.")


def _misfit(
    source: Source,
    expected: Mapping[str, Expected],
    found: Mapping[str, Mapping[int | None, Source]],
) -> str | None:
    """What is wrong with a source, None when it fits."""
    name, info, target = source.name, source.info, source.target
    wanted = expected.get(target.key)
    if wanted is None:
        return f"{name} is surplus: the model has no {target.key}"
    shape = wanted.shape
    if target.expert is not None:
        if target.expert >= shape[0]:
            return f"{name} is surplus: the model has {shape[0]} experts"
        shape = shape[1:]
    if target.shape_of(info.shape) != shape:
        return f"{name} has shape {list(info.shape)}, {target.key} needs {list(shape)}"
    if info.dtype not in wanted.dtypes:
        return f"{name} is {info.dtype}, {target.key} needs {_either(wanted.dtypes)}"
    others = found.get(target.key, {})
    rival = others.get(target.expert) or (
        # A stacked tensor and one per expert fill the same rows.
        next(iter(others.values()), None)
        if (target.expert is None) or (None in others)
        else None
    )
    if rival is not None:
        return f"{name} fills {target.key} again after {rival.name}"
    return None


def _missing(
    expected: Mapping[str, Expected], found: Mapping[str, Mapping[int | None, Source]]
) -> Iterator[str]:
    for key, wanted in expected.items():
        sources = found.get(key, {})
        if not sources:
            yield f"{key} {list(wanted.shape)} is missing from all files"
        elif None not in sources:
            absent = [str(e) for e in range(wanted.shape[0]) if e not in sources]
            if absent:
                yield f"{key} is missing expert {listed(absent, limit=5)}"


def _in_order(sources: Mapping[int | None, Source]) -> tuple[Source, ...]:
    return tuple(sorted(sources.values(), key=lambda source: source.target.expert or 0))


def _either(dtypes: Set[str]) -> str:
    return " or ".join(sorted(dtypes))
