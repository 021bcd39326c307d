"""How config tables are read and checked, for `config.py`.

Every refusal is a `CheckpointError` that names the field, its value and what is
supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import CheckpointError

HIDDEN_ACTIVATIONS = (
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "laplace",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
)
DTYPES = ("bfloat16", "float16", "float32")


def refuse(config: object, name: str, value: object, wanted: str) -> CheckpointError:
    return CheckpointError(
        f"{type(config).__name__}.{name} is {value!r}; supported is {wanted}. "
        "Check the checkpoint's config.json."
    )


def check_positive_ints(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise refuse(config, name, value, "a whole number from 1")


def check_bools(config: object, *names: str) -> None:
    for name in names:
        if not isinstance(value := getattr(config, name), bool):
            raise refuse(config, name, value, "true or false")


def check_number(config: object, name: str, *, above: float) -> None:
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= above:
        raise refuse(config, name, value, f"a number above {above:g}")


def check_one_of(config: object, name: str, allowed: tuple[str, ...]) -> None:
    if (value := getattr(config, name)) not in allowed:
        raise refuse(config, name, value, "one of " + ", ".join(allowed))


def mapping(data: object, name: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise CheckpointError(
            f"{name} is {type(data).__name__}, not a table. Check the config.json."
        )
    return dict(data)


def dtype_from(data: dict[str, Any]) -> str | None:
    """Take `dtype` or its older spelling `torch_dtype` out of `data`."""
    older, newer = data.pop("torch_dtype", None), data.pop("dtype", None)
    value = newer if newer is not None else older
    return value.removeprefix("torch.") if isinstance(value, str) else value


def square(config: object, name: str, value: object) -> object:
    """transformers also allows [n, n] for a side; its model computes squares only."""
    if isinstance(value, list | tuple):
        if len(set(value)) != 1:
            raise refuse(config, name, value, "one number (square)")
        return value[0]
    return value


def known(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """Arguments for `cls`: its own fields, and the rest in `extra`."""
    names = {item.name for item in fields(cls)} - {"extra"}
    arguments = {key: value for key, value in data.items() if key in names}
    arguments["extra"] = {k: value for k, value in data.items() if k not in names}
    return arguments


def plain(config: Any) -> dict[str, Any]:
    """Fields as JSON values, `extra` merged in, unset dtypes left out."""
    data = {item.name: getattr(config, item.name) for item in fields(config)}
    data.update(data.pop("extra"))
    if data["dtype"] is None:
        del data["dtype"]
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in data.items()
    }
