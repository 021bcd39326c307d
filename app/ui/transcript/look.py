"""Values that prose is written with: colours, sizes, a formula's drawing."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from ..palette import CODE, MONOSPACED, Palette

_FAMILY = ",".join(f"'{name}'" for name in MONOSPACED)


@dataclass(frozen=True)
class Look:
    """Colours and the factor on every size."""

    palette: Palette
    scale: float

    def px(self, size: int) -> int:
        """A size at this factor."""
        return round(size * self.scale)

    def code(self, text: str) -> str:
        """Words in the monospaced font on a ground of their own."""
        ground = f"background-color:{self.ground}"
        style = f"white-space:pre-wrap;{self.monospaced};{ground}"
        return f'<span style="{style}">{escape(text)}</span>'

    @property
    def monospaced(self) -> str:
        """The font of code."""
        return f"font-family:{_FAMILY};font-size:{self.px(CODE)}px"

    @property
    def ground(self) -> str:
        """The ground of code among words."""
        return "#EFEFF2" if not self.palette.is_dark else "#333337"


@dataclass(frozen=True)
class Drawn:
    """A formula's picture as a document names it, in pixels."""

    name: str
    width: float
    height: float
    centred: bool
