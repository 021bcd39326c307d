"""Search over titles and texts. Knows the index and what a person may type.

Every word is a prefix, all of them have to be there. What no index can split (Chinese,
Japanese and Thai write without spaces) is looked for as it stands.
"""

from __future__ import annotations

import re
import sqlite3

from ..conversation import Hit
from .rows import clean

_OPEN, _CLOSE = "\x02", "\x03"
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff]")
_AROUND = 40

_BY_WORDS = """
SELECT conversations.id, conversations.title, updated, {turn} AS turn,
       snippet({table}, 0, '\x02', '\x03', '…', 16) AS snippet
FROM {table} {joins}
WHERE {table} MATCH ? AND deleted IS NULL
ORDER BY {table}.rowid DESC LIMIT ?
"""
_TITLES_BY_WORDS = _BY_WORDS.format(
    table="titles",
    turn="NULL",
    joins="JOIN conversations ON conversations.id = titles.rowid",
)
_JOIN_TURNS = "JOIN conversations ON conversations.id = turns.conversation"
_TEXTS_BY_WORDS = _BY_WORDS.format(
    table="texts",
    turn="turns.id",
    joins=f"JOIN turns ON turns.id = texts.rowid {_JOIN_TURNS}",
)
_TITLES_AS_TYPED = """
SELECT id, title, updated, NULL AS turn, title AS snippet FROM conversations
WHERE title LIKE ? ESCAPE '!' AND deleted IS NULL ORDER BY id DESC LIMIT ?
"""
_TEXTS_AS_TYPED = f"""
SELECT conversations.id, title, updated, turns.id AS turn, text AS snippet
FROM turns {_JOIN_TURNS}
WHERE text LIKE ? ESCAPE '!' AND state <> 'streaming' AND deleted IS NULL
ORDER BY turns.id DESC LIMIT ?
"""


def search(connection: sqlite3.Connection, query: str, limit: int) -> tuple[Hit, ...]:
    """Titles first, then texts, the newest of each first."""
    typed = clean(query).strip()
    if _UNSPACED.search(typed):
        escaped = re.sub("([!%_])", r"!\1", typed)
        asked = f"%{escaped}%"
        statements = (_TITLES_AS_TYPED, _TEXTS_AS_TYPED)
    else:
        # Quoted, a word is only a word: the query language cannot be reached.
        words = [w for w in typed.split() if any(map(str.isalnum, w))]
        if not words:
            return ()
        asked = " ".join('"' + word.replace('"', '""') + '"*' for word in words)
        statements = (_TITLES_BY_WORDS, _TEXTS_BY_WORDS)
    hits: list[Hit] = []
    for sql in statements:
        for row in connection.execute(sql, (asked, limit - len(hits))):
            snippet = row["snippet"]
            if sql in (_TITLES_AS_TYPED, _TEXTS_AS_TYPED):
                snippet = _marked(snippet, typed)
            text, matches = _split(snippet)
            place = (row["id"], row["title"], row["updated"], row["turn"])
            hits.append(Hit(*place, text, matches))
        if len(hits) >= limit:
            break
    return tuple(hits)


def _marked(text: str, typed: str) -> str:
    """The place of the first match with a little around it."""
    found = re.search(re.escape(typed), text, re.IGNORECASE)
    if found is None:
        return text[: 2 * _AROUND]
    start, stop = found.span()
    before = text[max(start - _AROUND, 0) : start]
    after = text[stop : stop + _AROUND]
    lead = "…" if start > _AROUND else ""
    tail = "…" if stop + _AROUND < len(text) else ""
    return f"{lead}{before}{_OPEN}{text[start:stop]}{_CLOSE}{after}{tail}"


def _split(snippet: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A snippet without its marks, and where they were."""
    plain = ""
    matches: list[tuple[int, int]] = []
    start: int | None = None
    for piece in re.split(f"([{_OPEN}{_CLOSE}])", snippet):
        if piece == _OPEN:
            start = len(plain)
        elif piece == _CLOSE:
            if start is not None:
                matches.append((start, len(plain)))
            start = None
        else:
            plain += piece
    return plain, tuple(matches)
