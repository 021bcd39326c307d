"""Importing the package costs nothing, and its names stay what they are."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import types

import pytest

import mlx_glm45v

FRESH = """
import json, sys, time
started = time.perf_counter()
import mlx_glm45v
seconds = time.perf_counter() - started
dir(mlx_glm45v)
heavy = {"mlx", "mlx_lm", "numpy", "transformers", "huggingface_hub", "PIL", "av"}
print(json.dumps([seconds, sorted(heavy & set(sys.modules))]))
"""


def submodules() -> list[str]:
    found = pkgutil.walk_packages(mlx_glm45v.__path__, "mlx_glm45v.")
    return [item.name for item in found if not item.name.endswith("__main__")]


def test_importing_the_package_is_quick_and_loads_nothing_heavy():
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", FRESH], capture_output=True, check=True
            ).stdout
        )
        for _ in range(3)
    ]
    assert min(seconds for seconds, _ in runs) < 0.1
    assert runs[0][1] == []


def test_public_names_stay_what_they_are_when_every_submodule_is_imported():
    names = mlx_glm45v.__all__
    before = {name: getattr(mlx_glm45v, name) for name in names}
    for module in submodules():
        importlib.import_module(module)
    assert {name: getattr(mlx_glm45v, name) for name in names} == before
    assert not [n for n in names if isinstance(before[n], types.ModuleType)]


def test_no_public_name_is_a_submodules_name():
    """Which of the two one gets would depend on what was imported before."""
    top_level = {name.split(".")[1] for name in submodules()}
    assert not top_level & set(mlx_glm45v.__all__)


def test_every_public_name_is_listed_once_and_resolves():
    assert set(mlx_glm45v.__all__) == set(mlx_glm45v._MODULES)
    assert len(mlx_glm45v.__all__) == len(set(mlx_glm45v.__all__))
    assert set(mlx_glm45v.__all__) <= set(dir(mlx_glm45v))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mlx_glm45v.nonsense
