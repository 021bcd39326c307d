"""Code as spans of kinds, found by pygments in the other thread. Knows no colours."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal

from ..background import Background
from .markdown import Code

# Kinds by the start of pygments' token names; the longest that fits counts.
_KINDS = {
    "Token.Comment": "comment",
    "Token.Keyword": "keyword",
    "Token.Keyword.Constant": "number",
    "Token.Operator.Word": "keyword",
    "Token.Literal.String": "string",
    "Token.Literal.Number": "number",
    "Token.Name.Function": "name",
    "Token.Name.Class": "name",
    "Token.Name.Tag": "keyword",
    "Token.Name.Attribute": "name",
    "Token.Name.Decorator": "number",
    "Token.Name.Builtin": "name",
    "Token.Generic.Deleted": "deleted",
    "Token.Generic.Inserted": "string",
    "Token.Generic.Heading": "name",
}
# Longer code stays plain: laying out its colours would be felt.
_LONGEST = 60_000
_KEPT = 200

Spans = tuple[tuple[tuple[int, int, str], ...], ...]


class Highlights(QObject):
    """Spans of code blocks: (start, length, kind) for each line, in UTF-16 units."""

    found = Signal(object)  # Code

    def __init__(self, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._background = background
        self._spans: dict[Code, Spans] = {}
        self._asked: set[Code] = set()

    def spans(self, code: Code) -> Spans | None:
        """What is known of it, None while it is being looked at."""
        if code in self._spans:
            return self._spans[code]
        if code not in self._asked:
            self._asked.add(code)
            work = partial(spans, code.language, code.text)
            self._background.run(work, partial(self._keep, code))
        return None

    def _keep(self, code: Code, found: object) -> None:
        self._asked.discard(code)
        if len(self._spans) >= _KEPT:
            self._spans.clear()
        self._spans[code] = found if isinstance(found, tuple) else ()
        self.found.emit(code)


def spans(language: str, text: str) -> Spans:
    """Coloured spans of each line, none for a language that pygments does not know."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if not language or len(text) > _LONGEST:
        return ()
    try:
        lexer = get_lexer_by_name(language.split()[0].strip("{}."), stripnl=False)
    except ClassNotFound:
        return ()
    lines: list[list[tuple[int, int, str]]] = [[]]
    column = 0
    for token, value in lexer.get_tokens(text):
        kind = _kind(str(token))
        for number, piece in enumerate(value.split("\n")):
            if number:
                lines.append([])
                column = 0
            length = len(piece.encode("utf-16-le")) // 2
            if kind and length:
                lines[-1].append((column, length, kind))
            column += length
    return tuple(tuple(line) for line in lines)


def _kind(token: str) -> str | None:
    while token:
        if token in _KINDS:
            return _KINDS[token]
        token = token.rpartition(".")[0]
    return None
