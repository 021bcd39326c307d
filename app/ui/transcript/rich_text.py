"""Prose as the HTML that Qt's documents understand. Everything is escaped.

Knows colours and sizes through `Look` and formulas through their drawings. Links lead
to the web or to mail; other targets and pictures are written out, never loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from markdown_it.token import Token

from ..palette import BODY, HEADINGS, LINE_HEIGHT
from .look import Drawn, Look
from .markdown import BOX_CLOSE, BOX_NUMBER, BOX_OPEN, Formula, without_marks
from .unfolding import WIDE

_BOX = re.compile(f"{BOX_OPEN}(\\d+){BOX_NUMBER}|({BOX_CLOSE})")
_BARE_LINK = re.compile(
    r"https?://[^\s<>\"'\ufdd0-\ufdd2]*[^\s<>\"'.,:;!?)\]\ufdd0-\ufdd2]"
)
_WEB = ("http://", "https://", "mailto:")
# One list inside another, in pixels.
INDENT = 24
_QUOTE_TABLES = 2
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TICKS = {"[ ] ": "\u2610 ", "[x] ": "\u2611 ", "[X] ": "\u2611 "}


Draw = Callable[[Formula], Drawn | None]


def html(tokens: tuple[Token, ...], look: Look, draw: Draw) -> str:
    """A document of these tokens; `draw` gives a formula's picture or None."""
    writer = _Writer(look, draw)
    for token in tokens:
        writer.write(token)
    size = f"font-size:{look.px(BODY)}px;color:{look.palette.text}"
    return f'<html><body style="{size}">{"".join(writer.parts)}</body></html>'


def formulas(tokens: tuple[Token, ...]) -> tuple[Formula, ...]:
    """Every formula among these tokens."""
    found = []
    for token in tokens:
        if token.type in ("formula", "formula_block"):
            found.append(_formula(token))
        found += formulas(tuple(token.children or ()))
    return tuple(found)


def _formula(token: Token) -> Formula:
    displayed = token.type == "formula_block" or bool(token.meta.get("displayed"))
    latex, source = without_marks(token.content), without_marks(token.markup)
    return Formula(latex, displayed, source)


def _ticked(token: Token) -> Token:
    """A task's first words with a box in place of its brackets."""
    sign = _TICKS.get(token.content[:4]) if token.type == "text" else None
    return token if sign is None else token.copy(content=sign + token.content[4:])


class _Writer:
    """Turns tokens into HTML in order; keeps what is open."""

    def __init__(self, look: Look, draw: Draw) -> None:
        self._look, self._draw = look, draw
        self.parts: list[str] = []
        self._in_link = False
        self._cell_width = ""
        self._closings: list[str] = []
        self._quotes = self._lists = 0
        self._begins_item = False

    def write(self, token: Token) -> None:
        if token.type == "inline":
            children = tuple(token.children or ())
            if self._begins_item and children:
                self._begins_item = False
                children = (_ticked(children[0]), *children[1:])
            for child in children:
                self._inline(child)
        elif token.type in ("fence", "code_block"):
            self._code_block(token)
        elif token.type == "formula_block":
            self.parts.append(f"<p>{self._formula(token)}</p>")
        elif token.type == "hr":
            line = f"background-color:{self._look.palette.border}"
            self.parts.append(f'<hr style="{line}">')
        elif not token.hidden:
            self._container(token)

    def _container(self, token: Token) -> None:
        tag, colors = token.tag, self._look.palette
        if tag == "blockquote":
            self._quote(token.nesting > 0)
            return
        if tag in ("ul", "ol"):
            self._lists += token.nesting
        # Qt would enlarge its own headings on top of the size that they are given.
        written = "p" if tag in _HEADINGS else tag
        if token.nesting < 0:
            self.parts.append(f"</{written}>")
            return
        if tag == "li":
            self._begins_item = True
        style = f"line-height:{LINE_HEIGHT}%;"
        if tag == "p":
            style += f"margin-top:0;margin-bottom:{self._look.px(10)}px"
        elif tag in _HEADINGS:
            size = HEADINGS[min(int(tag[1]), 3) - 1]
            style = f"font-size:{self._look.px(size)}px;font-weight:600;"
            style += f"margin-top:{self._look.px(14)}px;"
            style += f"margin-bottom:{self._look.px(8)}px"
        elif tag in ("ul", "ol"):
            below = self._look.px(10) if self._lists == 1 else 0
            style = f"margin-top:0;margin-bottom:{below}px"
        elif tag == "div":
            style = f"margin-left:{INDENT}px"
        elif tag == "table":
            style = f"border-collapse:collapse;border-color:{colors.border};"
            style += f"border-style:solid;margin-bottom:{self._look.px(10)}px"
            columns = token.meta.get(WIDE)
            self._cell_width = f' width="{100 // columns}%"' if columns else ""
            width = ' width="100%"' if columns else ""
            look = f'border="1" cellpadding="6"{width} style="{style}"'
            self.parts.append(f"<table {look}>")
            return
        elif tag in ("th", "td"):
            align = str(token.attrs.get("style", "")).removeprefix("text-align:")
            align = align if align in ("left", "center", "right") else "left"
            ground = f"background-color:{colors.raised};" if tag == "th" else ""
            cell = f'align="{align}" style="{ground}border-color:{colors.border}"'
            self.parts.append(f"<{tag} {cell}{self._cell_width}>")
            return
        start = token.attrs.get("start")
        number = f' start="{int(start)}"' if tag == "ol" and start is not None else ""
        self.parts.append(f'<{written}{number} style="{style}">')

    def _quote(self, opens: bool) -> None:
        """A table with an edge; inside two of them only moved in.

        Qt takes twice as long for each level of tables: a dozen would never end.
        """
        self._quotes += 1 if opens else 0
        in_table = self._quotes <= _QUOTE_TABLES
        self._quotes -= 0 if opens else 1
        if not opens:
            self.parts.append("</td></tr></table>" if in_table else "</div>")
        elif in_table:
            colors = self._look.palette
            edge = f"border-left:3px solid {colors.border};padding-left:12px"
            self.parts.append(
                '<table style="border-collapse:collapse;margin-bottom:8px"><tr>'
                f'<td style="{edge};color:{colors.muted}">'
            )
        else:
            self.parts.append(f'<div style="margin-left:{INDENT // 2}px">')

    def _inline(self, token: Token) -> None:
        kind, parts = token.type, self.parts
        if kind == "text":
            parts.append(self._text(token.content))
        elif kind == "code_inline":
            parts.append(self._look.code(without_marks(token.content)))
        elif kind in ("softbreak", "hardbreak"):
            parts.append("<br>")
        elif kind == "formula":
            parts.append(self._formula(token))
        elif kind == "image":
            self._open_link(str(token.attrs.get("src", "")))
            parts.append(self._text(token.content or "picture"))
            self._close_link()
        elif kind == "link_open":
            self._open_link(str(token.attrs.get("href", "")))
        elif kind == "link_close":
            self._close_link()
        elif token.nesting != 0:
            parts.append(f"<{'/' if token.nesting < 0 else ''}{token.tag}>")
        else:
            parts.append(self._text(token.content))

    def _open_link(self, target: str) -> None:
        target = without_marks(target)
        if target.startswith(_WEB):
            self._in_link = True
            self.parts.append(self._anchor(target))
            self._closings.append("</a>")
        else:
            # Not ours to open: it stays readable behind its words.
            self._closings.append(f" ({escape(target)})" if target else "")

    def _close_link(self) -> None:
        self._in_link = False
        self.parts.append(self._closings.pop() if self._closings else "")

    def _text(self, text: str) -> str:
        if not self._in_link:
            pieces, end = [], 0
            for found in _BARE_LINK.finditer(text):
                pieces.append(_words(text[end : found.start()], self._look))
                pieces.append(f"{self._anchor(found[0])}{escape(found[0])}</a>")
                end = found.end()
            return "".join(pieces) + _words(text[end:], self._look)
        return escape(without_marks(text))

    def _anchor(self, target: str) -> str:
        color = self._look.palette.accent
        return f'<a href="{escape(target)}" style="color:{color}">'

    def _formula(self, token: Token) -> str:
        formula = _formula(token)
        drawn = self._draw(formula)
        if drawn is None:
            return self._look.code(formula.source)
        size = f'width="{drawn.width:.0f}" height="{drawn.height:.0f}"'
        middle = ' style="vertical-align:middle"' if drawn.centred else ""
        return f'<img src="{escape(drawn.name)}" {size}{middle}>'

    def _code_block(self, token: Token) -> None:
        look = self._look
        text = escape(without_marks(token.content).removesuffix("\n"))
        language = escape(without_marks(token.info).strip())
        head = f'<span style="color:{look.palette.muted}">{language}</span><br>'
        style = f"white-space:pre-wrap;{look.monospaced}"
        self.parts.append(
            f'<table width="100%" cellpadding="8" style="margin-bottom:8px"><tr>'
            f'<td style="background-color:{look.ground}"><p style="{style}">'
            f"{head if language else ''}{text}</p></td></tr></table>"
        )


def _words(text: str, look: Look) -> str:
    """Escaped, with the marks of boxes as links to them."""

    def link(found: re.Match[str]) -> str:
        if found[2]:
            return "</a>"
        style = f"color:{look.palette.accent};text-decoration:none"
        return f'<a href="box:{found[1]}" style="{style}">'

    return _BOX.sub(link, escape(text))
