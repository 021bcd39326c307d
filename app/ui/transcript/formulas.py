"""Where LaTeX stands in Markdown: rules for markdown-it. Draws nothing.

`$x$`, `\\(x\\)` are formulas in a line, `$$x$$` and `\\[x\\]` are displayed. A dollar
opens only before a character and closes only after one and not before a digit, so that
prices stay prices. A displayed formula holds no empty line, as in TeX.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

# What an unfinished text sets in `env`: a formula that is still open reaches its end.
STREAMING = "streaming"
# What such a formula's token has in `meta`.
OPEN = "open"

_DISPLAYED = (("$$", "$$"), ("\\[", "\\]"))
_DOLLAR = re.compile(r"\$(?![\s$])((?:[^$\\`]|\\.)+?)(?<!\s)\$(?![\d$])", re.DOTALL)
_DOLLARS = re.compile(r"\$\$((?:[^$\\`]|\\.)+?)\$\$", re.DOTALL)
# Bounded: openings that never close would each be searched for to the end.
_ROUND = re.compile(r"\\\((.{1,2000}?)\\\)", re.DOTALL)
_SQUARE = re.compile(r"\\\[(.{1,2000}?)\\\]", re.DOTALL)


def add_formulas(parser: MarkdownIt) -> None:
    """Teach a parser the tokens `formula` and `formula_block`."""
    chain: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula_block", _block, chain)
    parser.inline.ruler.before("escape", "formula", _inline)


def _inline(state: StateInline, silent: bool) -> bool:
    source, start = state.src, state.pos
    if source[start] == "$":
        patterns, displayed = ((_DOLLARS, True), (_DOLLAR, False)), False
    elif source.startswith(("\\(", "\\["), start):
        displayed = source[start + 1] == "["
        patterns = ((_SQUARE if displayed else _ROUND, displayed),)
    else:
        return False
    for pattern, displayed in patterns:
        found = pattern.match(source, start, state.posMax)
        if found is None or not found[1].strip():
            continue
        if not silent:
            token = state.push("formula", "math", 0)
            token.content, token.markup = found[1].strip(), found[0]
            token.meta = {"displayed": displayed}
        state.pos = found.end()
        return True
    if source[start] == "$":
        return False
    # An open formula stays as it was written, backslash and all.
    if not silent:
        state.pending += source[start : start + 2]
    state.pos += 2
    return True


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    marks = next((pair for pair in _DISPLAYED if first.startswith(pair[0])), None)
    if marks is None:
        return False
    opening, closing = marks
    lines: list[str] = []
    line, is_open = start, False
    while line < end:
        text = _line(state, line)
        if not text or (line > start and state.sCount[line] < state.blkIndent):
            return False
        rest = text[len(opening) :] if line == start else text
        if closing in rest:
            if not rest.endswith(closing) or rest.index(closing) + 2 != len(rest):
                return False
            lines.append(rest[: -len(closing)])
            break
        lines.append(rest)
        line += 1
    else:
        if not state.env.get(STREAMING):
            return False
        line, is_open = line - 1, True
    latex = "\n".join(lines).strip()
    if not latex and not is_open:
        return False
    if not silent:
        token = state.push("formula_block", "math", 0)
        token.block, token.map = True, [start, line + 1]
        token.content = latex
        token.markup = f"{opening}{latex}{closing}"
        token.meta[OPEN] = is_open
        state.line = line + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[
        state.bMarks[line] + state.tShift[line] : state.eMarks[line]
    ].strip()
