"""Frozen values to the types of JSON and back, held against their annotations.

Knows dataclasses, tuples, literals and unions of them. Does not know what they mean.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
# A whole number is a good float; True is no number.
_ACCEPTED = {float: (float, int), int: (int,), str: (str,), bool: (bool,)}


class NotUnderstood(ValueError):
    """What was said is not what was agreed on; the message names the place."""


def to_plain(value: Any) -> dict[str, Any]:
    """A dataclass as JSON takes it.

    `dataclasses.asdict` does the same and copies every word; a conversation of 2,000
    turns is felt then.
    """
    return {name: _plain(getattr(value, name)) for name in _names(type(value))}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return to_plain(value) if _names(type(value)) else value


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, none of another type."""
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else ()


def from_plain(kind: type[Value], plain: object, place: str = "") -> Value:
    """The dataclass `kind` that `plain` describes; `place` is where it was found.

    Raises:
        NotUnderstood: a field is missing, surplus or of another type.
    """
    place = place or kind.__name__
    if not isinstance(plain, Mapping):
        raise NotUnderstood(f"{place} is an object, not {type(plain).__name__}")
    hints = _hints(kind)
    if surplus := sorted(set(plain) - set(hints)):
        raise NotUnderstood(f"{place} has no {surplus[0]!r}")
    for field in fields(kind):  # type: ignore[arg-type]
        needed = field.default is MISSING and field.default_factory is MISSING
        if needed and field.name not in plain:
            raise NotUnderstood(f"{place} lacks {field.name!r}")
    found = {
        name: _value(hints[name], each, f"{place}.{name}")
        for name, each in plain.items()
    }
    return kind(**found)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, plain: object, place: str) -> Any:
    if isinstance(hint, types.UnionType):
        return _one_of(get_args(hint), plain, place)
    if get_origin(hint) is Literal:
        if isinstance(plain, str) and plain in get_args(hint):
            return plain
        raise NotUnderstood(f"{place} cannot be {plain!r:.80}")
    if get_origin(hint) is tuple:
        if not isinstance(plain, list | tuple):
            raise NotUnderstood(f"{place} is a list, not {type(plain).__name__}")
        inner = get_args(hint)[0]
        return tuple(
            _value(inner, each, f"{place}[{index}]") for index, each in enumerate(plain)
        )
    if is_dataclass(hint):
        return from_plain(hint, plain, place)  # type: ignore[arg-type]
    if plain is None and hint is types.NoneType:
        return None
    accepted = _ACCEPTED.get(hint, ())
    if isinstance(plain, accepted) and not (
        isinstance(plain, bool) and hint is not bool
    ):
        try:
            return hint(plain)
        except OverflowError:
            raise NotUnderstood(f"{place} is too large a number") from None
    raise NotUnderstood(f"{place} cannot be {plain!r:.80}")


def _one_of(hints: tuple[Any, ...], plain: object, place: str) -> Any:
    problems = []
    for hint in hints:
        try:
            return _value(hint, plain, place)
        except NotUnderstood as problem:
            problems.append(problem)
    # The first choice is the common one; None is never what was meant.
    raise problems[0]
