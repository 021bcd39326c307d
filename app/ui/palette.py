"""Colours and measures: the two palettes, spacings, radii and text sizes.

Text has a contrast of at least 4.5:1 on window, sidebar and raised ground in both (but
for `ok` on `soft` in light), which a test computes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """One colour scheme, as #RRGGBB. `accent_text` stands on `accent`."""

    name: str
    window: str
    sidebar: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    soft: str
    danger: str
    ok: str
    warn: str
    accent_text: str

    @property
    def is_dark(self) -> bool:
        """Whether text is lighter than the ground."""
        return self.name == "dark"


LIGHT = Palette(
    name="light",
    window="#FFFFFF",
    sidebar="#F5F5F7",
    raised="#FAFAFB",
    border="#DEDEE3",
    text="#1D1D1F",
    muted="#66666C",
    accent="#0A63C9",
    soft="#E7F0FC",
    danger="#B3261E",
    ok="#1A7F45",
    warn="#8A5200",
    accent_text="#FFFFFF",
)
DARK = Palette(
    name="dark",
    window="#1C1C1E",
    sidebar="#242427",
    raised="#2A2A2D",
    border="#3C3C41",
    text="#F2F2F4",
    muted="#A8A8AF",
    accent="#6CB0FF",
    soft="#1E3350",
    danger="#FF8A84",
    ok="#5FD08D",
    warn="#F0B45A",
    accent_text="#0B1B2E",
)

# Spacings and radii, in device-independent pixels.
XXS, XS, S, M, L, XL = 4, 8, 12, 16, 24, 32
CARD_RADIUS, COMPOSER_RADIUS = 8, 14
COLUMN_WIDTH = 760
SCROLL_BAR = 10
SIDEBAR_WIDTH = 260

# Text, in pixels at a font scale of 1; nothing is smaller than META.
META, CODE, BODY = 12, 13, 14
HEADINGS = (20, 17, 15)
MONOSPACED = ("SF Mono", "Menlo", "DejaVu Sans Mono", "monospace")
LINE_HEIGHT = 150  # per cent
