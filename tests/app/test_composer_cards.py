import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFontMetrics, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app.ui.composer import CardValue
from app.ui.composer.strip import CardStrip
from app.ui.composer.values import chip_text, cost_text, spoken
from app.ui.theme import Theme

CONTROL = Qt.KeyboardModifier.ControlModifier
A = CardValue("a", "receipt.png", "image", tokens=2691)
B = CardValue("b", "clip.mp4", "video", length=12.4, reading=True)
C = CardValue("c", "paper.pdf", "document", pages=14, tokens=5000)


@pytest.fixture
def strip(qapp: QApplication, qapp_theme: Theme) -> CardStrip:
    window = QWidget()
    column = QVBoxLayout(window)
    strip = CardStrip(qapp_theme, window)
    column.addWidget(strip)
    window.resize(500, 200)
    window.show()
    window.activateWindow()
    qapp.processEvents()
    yield strip
    window.close()
    window.deleteLater()


def heard(signal: object) -> list:
    found: list = []
    signal.connect(lambda *values: found.append(values))
    return found


def keys(strip: CardStrip) -> list[str]:
    return [card.value.key for card in strip.cards]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (replace(B, length=0.4), "0:00"),
        (B, "0:12"),
        (replace(B, length=3725), "1:02:05"),
        (C, "14 p."),
        (A, ""),
    ],
)
def test_the_chip_tells_length_or_pages(value: CardValue, text: str) -> None:
    assert chip_text(value) == text


def test_tokens_stand_below_with_their_thousands_apart() -> None:
    assert cost_text(A) == "2,691 tok"
    assert cost_text(B) == "Reading…"
    assert cost_text(replace(A, tokens=None)) == ""


def test_a_screen_reader_hears_name_kind_extent_and_cost() -> None:
    assert spoken(A) == "receipt.png, picture, 2,691 tokens"
    assert spoken(C) == "paper.pdf, document, 14 pages, 5,000 tokens"
    broken = replace(A, problem="The file ends early.")
    assert spoken(broken) == "receipt.png, picture, The file ends early."


def test_cards_stay_the_same_widgets_while_their_keys_do(strip: CardStrip) -> None:
    strip.set_values((A, B))
    before = dict(zip(keys(strip), strip.cards, strict=True))
    strip.set_values((B, replace(A, tokens=1)))
    assert keys(strip) == ["b", "a"]
    assert [before[key] for key in keys(strip)] == list(strip.cards)
    assert strip.cards[1].value.tokens == 1


def test_it_is_hidden_while_there_is_nothing(strip: CardStrip) -> None:
    assert strip.isHidden()
    strip.set_values((A,))
    assert not strip.isHidden()
    strip.set_values(())
    assert strip.isHidden()


@pytest.mark.parametrize(
    ("key", "modifier", "signal", "values"),
    [
        (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier, "removed", ("b",)),
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "opened", ("b",)),
        (Qt.Key.Key_Left, CONTROL, "moved", ("b", -1)),
        (Qt.Key.Key_Right, CONTROL, "moved", ("b", 1)),
    ],
)
def test_a_card_is_used_by_its_keys(
    strip: CardStrip,
    key: Qt.Key,
    modifier: Qt.KeyboardModifier,
    signal: str,
    values: tuple,
) -> None:
    strip.set_values((A, B, C))
    said = heard(getattr(strip, signal))
    QTest.keyClick(strip.cards[1], key, modifier)
    assert said == [values]


def test_arrows_go_to_the_neighbour(strip: CardStrip) -> None:
    strip.set_values((A, B))
    strip.cards[0].setFocus()
    QTest.keyClick(strip.cards[0], Qt.Key.Key_Right)
    assert strip.cards[1].hasFocus()
    QTest.keyClick(strip.cards[1], Qt.Key.Key_Left)
    assert strip.cards[0].hasFocus()


def test_the_focus_goes_to_what_takes_a_removed_cards_place(strip: CardStrip) -> None:
    strip.set_values((A, B, C))
    strip.cards[1].setFocus()
    strip.set_values((A, C))
    assert strip.cards[1].hasFocus()
    emptied = heard(strip.emptied)
    strip.set_values(())
    assert len(emptied) == 1


def test_the_button_that_removes_appears_with_the_focus(strip: CardStrip) -> None:
    strip.set_values((A, B))
    assert not strip.cards[0].children()
    strip.cards[0].setFocus()
    (button,) = strip.cards[0].children()
    assert button.isVisible()
    assert button.accessibleName() == "Remove receipt.png"
    removed = heard(strip.removed)
    button.click()
    assert removed == [("a",)]
    strip.cards[1].setFocus()
    assert not button.isVisible()


def test_a_click_opens_and_a_drag_moves(strip: CardStrip) -> None:
    strip.set_values((A, B, C))
    opened, moved = heard(strip.opened), heard(strip.moved)
    card = strip.cards[0]
    QTest.mouseClick(card, Qt.MouseButton.LeftButton)
    assert opened == [("a",)]
    QTest.mousePress(card, Qt.MouseButton.LeftButton, pos=card.rect().center())
    QTest.mouseMove(card, card.rect().center() + card.rect().topRight())
    QTest.mouseRelease(card, Qt.MouseButton.LeftButton, pos=card.rect().center())
    assert moved == [("a", 1)]
    assert opened == [("a",)]


def test_an_unreadable_one_has_room_for_its_reason(strip: CardStrip) -> None:
    strip.set_values((A, replace(C, problem="This file is locked by a password.")))
    readable, broken = strip.cards
    assert broken.sizeHint().width() > 2 * readable.sizeHint().width()
    assert "password" in broken.toolTip()
    assert not broken.grab().isNull()


def test_fifty_cards_are_there_within_a_blink(
    strip: CardStrip, qapp: QApplication
) -> None:
    picture = QPixmap(128, 128)
    values = tuple(
        CardValue(str(i), f"{i}.png", "image", picture, tokens=i) for i in range(50)
    )
    begin = time.process_time()
    strip.set_values(values)
    assert time.process_time() - begin < 0.05
    qapp.processEvents()
    assert strip.horizontalScrollBar().maximum() > 0
    strip.cards[-1].setFocus()


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(448, 336, 85), (300, 300, 64), (90, 900, 40), (4000, 200, 136)],
)
def test_a_thumbnail_is_as_wide_as_its_picture(
    strip: CardStrip, width: int, height: int, shown: int
) -> None:
    picture = QPixmap(width, height)
    strip.set_values((replace(A, thumbnail=picture, tokens=1),))
    assert strip.cards[0].width() == shown + 8
    assert not strip.cards[0].grab().isNull()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_a_long_reason_is_not_cut(
    strip: CardStrip, qapp_theme: Theme, scale: float
) -> None:
    reason = "receipt.png is damaged or not complete. Save or download it again."
    qapp_theme.apply("light", scale=scale)
    strip.set_values((replace(A, problem=reason),))
    card = strip.cards[0]
    font = QFontMetrics(qapp_theme.font(12))
    # Its frame, the sign and what is around them; the name is not said twice.
    words = QRect(0, 0, card.width() - 52, card.height() - 8)
    taken = font.boundingRect(words, Qt.TextFlag.TextWordWrap, reason)
    assert taken.height() <= words.height()
    qapp_theme.apply("light")


def test_a_card_that_breaks_comes_into_sight(
    strip: CardStrip, wait_until: Callable
) -> None:
    values = tuple(replace(A, key=str(number)) for number in range(12))
    strip.set_values(values)
    bar = strip.horizontalScrollBar()
    wait_until(lambda: bar.value() == bar.maximum() > 0)
    bar.setValue(0)
    strip.set_values((*values[:-1], replace(values[-1], problem="Torn.")))
    card, view = strip.cards[-1], strip.viewport()

    def is_seen() -> bool:
        right = card.mapTo(view, card.rect().topRight()).x()
        return 0 < right <= view.width()

    wait_until(is_seen)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_slim_documents_pages_can_be_read(
    strip: CardStrip, qapp_theme: Theme, scale: float
) -> None:
    qapp_theme.apply("light", scale=scale)
    strip.set_values((replace(C, thumbnail=QPixmap(90, 900), tokens=1),))
    chip = QFontMetrics(qapp_theme.font(12)).horizontalAdvance(chip_text(C))
    assert strip.cards[0].width() > chip + 8
    qapp_theme.apply("light")


@pytest.mark.parametrize("scale", [1.5, 2.0])
def test_a_reason_fits_a_narrow_window(
    strip: CardStrip, qapp_theme: Theme, scale: float
) -> None:
    qapp_theme.apply("light", scale=scale)
    strip.set_values((replace(A, problem="Words about what is wrong. " * 6),))
    assert strip.cards[0].width() < 384  # of a window of 760 pixels
    assert strip.height() >= strip.cards[0].height()
    qapp_theme.apply("light")
