"""Contrast as WCAG 2.2 computes it: relative luminance, (L1 + 0.05) / (L2 + 0.05)."""

import pytest

from app.ui.palette import DARK, LIGHT, Palette


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
@pytest.mark.parametrize("ground", ["window", "sidebar", "raised", "soft"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "danger", "ok", "warn"])
def test_text_can_be_read_on_every_ground(palette: Palette, text: str, ground: str):
    if (palette.name, text, ground) == ("light", "ok", "soft"):
        pytest.skip("never drawn, and the palette says so")
    one, other = getattr(palette, text), getattr(palette, ground)
    assert contrast(one, other) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_text_on_the_accent_can_be_read(palette: Palette):
    assert contrast(palette.accent_text, palette.accent) >= 4.5
