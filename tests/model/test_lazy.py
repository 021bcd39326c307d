"""Nothing in the model reads a value or runs the graph: only its callers do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mlx_glm45v.model

FILES = sorted(Path(mlx_glm45v.model.__path__[0]).glob("*.py"))
RUNS_THE_GRAPH = {"item", "tolist", "eval", "async_eval", "synchronize"}


def calls_of(source: str) -> set[str]:
    return {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_of_the_model_evaluates(path: Path) -> None:
    assert not calls_of(path.read_text()) & RUNS_THE_GRAPH


def test_the_search_finds_what_it_looks_for() -> None:
    assert calls_of("mx.eval(x)\nx.sum().item()") == {"eval", "sum", "item"}
