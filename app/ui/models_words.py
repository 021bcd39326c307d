"""What the models page says about a model, a transfer, a conversion.

Values in, words and roles out. Knows no widgets.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from ..models import EngineState, ModelEntry, Transfer
from .words import decimal, grouped, shortest, size_words, time_words


@dataclass(frozen=True)
class Said:
    """Words and the style sheet's role for them."""

    words: str
    role: str


@dataclass(frozen=True)
class Conversion:
    """A recipe of the converter that the page offers."""

    recipe: str
    words: str


def conversions() -> tuple[Conversion, ...]:
    """From the smallest result to the largest."""
    return (
        Conversion("mac-64gb", _tr("For a Mac with 64 GB")),
        Conversion("mac-96gb", _tr("For a Mac with 96 GB")),
        Conversion("mac-128gb", _tr("For a Mac with 128 GB")),
        Conversion("mac-192gb", _tr("For a Mac with 192 GB")),
        Conversion("4bit", _tr("4 bits everywhere")),
        Conversion("8bit", _tr("8 bits everywhere")),
    )


def facts(entry: ModelEntry) -> str:
    """`61.9 GB · 4 bits · context of 65,536 tokens`."""
    parts = []
    if entry.size:
        parts.append(size_words(entry.size))
    if entry.bits:
        parts.append(_tr("{} bits").format(shortest(entry.bits)))
    if entry.context_length:
        parts.append(_tr("context of {} tokens").format(grouped(entry.context_length)))
    return " · ".join(parts)


def _streamed(pace: tuple[float, float]) -> str:
    slow, fast = (decimal(each) for each in pace)
    words = _tr("Fits in part: the disk allows {slow} to {fast} tokens a second")
    return words.format(slow=slow, fast=fast)


def verdict(entry: ModelEntry) -> Said | None:
    """Whether it runs here; None where nobody knows."""
    match entry.fits:
        case "yes":
            return Said(_tr("Fits this machine"), "ok")
        case "streamed":
            assert entry.pace is not None  # what is streamed was planned
            return Said(_streamed(entry.pace), "warn")
        case "raised":
            return Said(_tr("Fits with a larger share for the GPU"), "warn")
        case "no":
            return Said(_tr("Does not fit this machine"), "danger")
        case _:
            return None


def state(entry: ModelEntry, engine: EngineState) -> str:
    """Where the model is: in use, on this disk, partly, or not at all."""
    if engine.model == entry.name:
        match engine.phase:
            case "loading":
                share = engine.done / engine.total if engine.total else 0
                return _tr("Loading, {}%").format(round(100 * share))
            case "ready" | "working":
                return _tr("In use")
            case _:
                pass
    match entry.on_disk:
        case "ready" if entry.place == "demo":
            return _tr("Comes with the app")
        case "ready":
            return _tr("On this disk")
        case "partial":
            return _tr("{} of it are on this disk").format(size_words(entry.fetched))
        case "broken":
            return _tr("Cannot be used")
        case _:
            return _tr("Not downloaded")


def progress(transfer: Transfer) -> str:
    """`12.3 of 61.9 GB · 45.0 MB/s · 18 min left`."""
    parts = []
    if transfer.total:
        done, total = size_words(transfer.done), size_words(transfer.total)
        parts.append(_tr("{} of {}").format(done, total))
    if transfer.state == "paused":
        parts.append(_tr("paused"))
    elif transfer.state == "verifying":
        parts.append(_tr("checking"))
    elif transfer.state == "running":
        if transfer.rate:
            parts.append(_tr("{}/s").format(size_words(transfer.rate)))
        if transfer.seconds_left is not None:
            left = time_words(transfer.seconds_left)
            parts.append(_tr("{} left").format(left))
        if not parts:
            parts.append(_tr("Starting"))
    if transfer.kind == "convert":
        parts.insert(0, _tr("Converting"))
    return " · ".join(parts)


def _tr(text: str) -> str:
    return QCoreApplication.translate("models", text)
