"""The folder a conversion writes to: may it be used, is something to be gone on with?

Knows names in folders and the journal. Everything is checked before the first byte is
written; what is in the way is named. Knows no weights.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from ..errors import ConversionError
from ..shards import INDEX_NAME, listed
from .beside import CARD_NAME, CHECKSUMS_NAME, CONFIG_NAME, COPIED
from .disk import existing_parent, sync_folder
from .journal import JOURNAL_NAME, Journal

# Where source files lie while they are needed, when they are fetched one by one.
SOURCE_FOLDER = ".source"
_REPLACES = "replaces"
_IGNORED = frozenset({".DS_Store"})
# What an overwritten folder gives up: the weights and every file written beside them.
_OURS = ("*.safetensors", INDEX_NAME, CONFIG_NAME, CARD_NAME, CHECKSUMS_NAME, *COPIED)


def discard_conversion(folder: Path) -> bool:
    """Remove the folder of a conversion that was not finished; whether there was one.

    A finished folder, and one that no conversion began, stays as it is.
    """
    if not (folder / JOURNAL_NAME).exists():
        return False
    # The journal last: a removal that is cut short can be asked for again.
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != JOURNAL_NAME:
            path.unlink()
    shutil.rmtree(folder)
    return True


def remove_source(target: Path) -> None:
    """Source files that were fetched into the target's folder are no longer needed."""
    shutil.rmtree(target / SOURCE_FOLDER, ignore_errors=True)


def check_target(target: Path, *, source: Path | None, overwrite: bool) -> None:
    """Raise `ConversionError` unless `target` may be written or gone on with.

    It must be no file, neither in the source's folder nor around it, writable, and
    empty unless a journal lies there or `overwrite` is asked for.
    """
    if source is not None:
        ours, theirs = target.resolve(), source.resolve()
        if ours == theirs:
            raise ConversionError(
                f"{target} is the source itself; choose another folder to write to"
            )
        if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
            raise ConversionError(
                f"{target} and the source {source} lie one in the other; choose a "
                "folder outside of it"
            )
    parent = existing_parent(target)
    if not parent.is_dir():
        raise ConversionError(f"{parent} is a file; choose a folder to write to")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ConversionError(
            f"{parent} cannot be written to; choose another folder, or change its "
            "permissions"
        )
    if not target.is_dir() or overwrite or (target / JOURNAL_NAME).exists():
        return
    found = sorted(
        path.name
        for path in target.iterdir()
        if path.name not in _IGNORED and not _is_leftover(path)
    )
    if found:
        raise ConversionError(
            f"{target} is not empty ({listed(found, limit=3)}); choose another folder, "
            "or allow overwriting (--overwrite)"
        )


def replaced_bytes(target: Path) -> int:
    """Size of the weights that overwriting gives back to the disk."""
    if (target / JOURNAL_NAME).exists():
        return 0
    return sum(path.stat().st_size for path in target.glob("*.safetensors"))


def begin(target: Path, begun_as: Mapping[str, Any], *, overwrite: bool) -> Journal:
    """Open the journal of `target`: the one of an interrupted run, or a new one.

    With `overwrite`, an earlier model's files are removed once the journal is there, so
    that no moment shows a folder that looks finished. Raises `ConversionError` when an
    interrupted run was another conversion.
    """
    path = target / JOURNAL_NAME
    replaced = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        if path.exists():
            journal = Journal.reopen(path)
            differences = list(_differences(journal.begun_as, begun_as))
            if not differences:
                _clear(target, journal)
                return journal
            if not overwrite:
                journal.close()
                raise ConversionError(
                    f"{target} holds an unfinished conversion of another kind: "
                    f"{'; '.join(differences)}. Give what it was begun with to go on, "
                    "or start anew with overwriting switched on (--overwrite)"
                )
            replaced = journal  # its lock is kept until the new one is held
        replaces = sorted(
            {found.name for pattern in _OURS for found in target.glob(pattern)}
        )
        journal = Journal.create(
            path, {**begun_as, _REPLACES: replaces}, replacing=replaced
        )
        _clear(target, journal)
        return journal
    except OSError as error:
        raise ConversionError(
            f"{target} cannot be written ({error.strerror}); choose another folder"
        ) from error


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is not as it was, in words."""
    for name in sorted({*then, *now} - {_REPLACES}):
        before, after = then.get(name), now.get(name)
        if before == after:
            continue
        if not isinstance(before, Mapping) or not isinstance(after, Mapping):
            yield f"{name} was {before!r}, is {after!r}"
            continue
        changed = [k for k in {**before, **after} if before.get(k) != after.get(k)]
        yield f"{name} differs in {listed(sorted(changed), limit=3)}"


def _is_leftover(path: Path) -> bool:
    """A temporary file of ours: `.model.safetensors.part`."""
    if not (path.name[0] == "." and path.name.endswith(".part")):
        return False
    name = PurePath(path.name[1 : -len(".part")])
    return any(name.match(pattern) for pattern in (*_OURS, JOURNAL_NAME))


def _clear(target: Path, journal: Journal) -> None:
    """Remove what the new files replace, once: later the names are the new files'."""
    if journal.cleared:
        return
    leftovers = [found.name for found in target.iterdir() if _is_leftover(found)]
    for name in (*journal.begun_as[_REPLACES], *leftovers):
        (target / name).unlink(missing_ok=True)
    remove_source(target)
    sync_folder(target)
    journal.note_cleared()
