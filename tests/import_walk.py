"""Reads the import statements of a package and holds them against a table of rooms."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """What a module or package may import besides the standard library and itself.

    `ours` are modules of this package by their path, with everything below them; "*"
    is all of them. `theirs` are distributions' top-level or dotted modules.
    """

    ours: frozenset[str] = frozenset()
    theirs: frozenset[str] = frozenset()


def room(ours: set[str] | None = None, theirs: set[str] | None = None) -> Room:
    return Room(frozenset(ours or ()), frozenset(theirs or ()))


def violations(package: Path, rooms: Mapping[str, Room]) -> list[str]:
    """Every import that its module's room does not allow: `module:line imports name`.

    The longest path that fits a module decides. Raises LookupError where none does.
    """
    found = []
    for file in sorted(package.rglob("*.py")):
        module = _module_of(file, package)
        own, rule = _room_of(module, rooms) if module else ("", rooms[""])
        for line, name in _imports_of(file, package):
            top, _, rest = name.partition(".")
            if top in sys.stdlib_module_names:
                continue
            if top == package.name:
                allowed = not rest or _below(rest, rule.ours | {own})
            else:
                allowed = _below(name, rule.theirs)
            if not allowed:
                found.append(f"{module or package.name}:{line} imports {name}")
    return found


def absolute_imports(package: Path) -> list[str]:
    """Where a package names itself, which only works under the name it has here."""
    return [
        f"{_module_of(file, package) or package.name}:{node.lineno}"
        for file in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if any(name.partition(".")[0] == package.name for name in _named(node))
    ]


def _module_of(file: Path, package: Path) -> str:
    """`processing/prompt.py` -> `processing.prompt`; a package's own file: its path."""
    parts = list(file.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_of(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted module) of all imports outside of TYPE_CHECKING blocks."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    here = [package.name, *file.relative_to(package).parent.parts]
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name) for name in _named(node))
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import x` and `from .media import images` may name modules.
            for alias in node.names:
                target = package.parent.joinpath(*module.split("."), alias.name)
                is_module = target.with_suffix(".py").exists() or target.is_dir()
                yield node.lineno, f"{module}.{alias.name}" if is_module else module


def _named(node: ast.AST) -> list[str]:
    """The modules that a statement names in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module]
    return []


def _below(name: str, roots: frozenset[str]) -> bool:
    """Whether a dotted name is one of `roots` or inside one; "*" is any."""
    return any(
        root == "*" or name == root or name.startswith(root + ".") for root in roots
    )


def _room_of(module: str, rooms: Mapping[str, Room]) -> tuple[str, Room]:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = ".".join(parts[:length])
        if path in rooms:
            return path, rooms[path]
    raise LookupError(f"{module} has no rule: give it one in its table")
