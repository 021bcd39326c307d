"""How the model is doing after each thing that may happen to it. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from ..models import EngineState
from .protocol import Failed, Load, Loaded, Loading, title_of

# Trying the same again changes nothing about these.
_LASTING = ("CheckpointError", "NotEnoughMemory", "ValueError")


def loading(load: Load) -> EngineState:
    """A model was asked for."""
    return EngineState("loading", model=load.model, title=title_of(load.model))


def loaded_so_far(state: EngineState, event: Loading) -> EngineState:
    """Some of its bytes are there."""
    return replace(state, done=event.done, total=event.total)


def ready(event: Loaded) -> EngineState:
    """It is there."""
    return EngineState(
        "ready",
        model=event.model,
        title=event.title,
        context_length=event.context_length,
        memory=event.memory,
        machine_memory=event.machine_memory,
    )


def not_loaded(state: EngineState, event: Failed) -> EngineState:
    """It could not be loaded, and said why."""
    return replace(
        state,
        phase="failed",
        problem=event.message,
        restartable=event.kind not in _LASTING,
        forceable=event.kind == "NotEnoughMemory",
    )


def working(state: EngineState) -> EngineState:
    """It was asked."""
    return replace(state, phase="working")


def answered(state: EngineState) -> EngineState:
    """It may be asked again."""
    return replace(state, phase="ready")


def died(state: EngineState, problem: str) -> EngineState:
    """Its process is gone."""
    return replace(state, phase="failed", problem=problem, restartable=True, memory=0)
