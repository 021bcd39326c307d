"""A decoded token is read once; nothing else of a step waits for the device."""

from __future__ import annotations

import ast
from pathlib import Path

import mlx_glm45v.generation
from tests.model.test_lazy import RUNS_THE_GRAPH

FOLDER = Path(mlx_glm45v.generation.__path__[0])


def waits(name: str) -> list[str]:
    """Calls of a file that need a value of the device or send work to it."""
    return [
        node.func.attr
        for node in ast.walk(ast.parse((FOLDER / name).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in RUNS_THE_GRAPH
    ]


def test_a_step_reads_its_token_and_nothing_else() -> None:
    assert set(waits("decode.py")) == {"async_eval", "item"}
    assert waits("decode.py").count("item") == 1
    assert waits("forward.py") == []
    assert waits("sampling.py") == []
