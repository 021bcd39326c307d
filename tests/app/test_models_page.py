"""The models page shows values and says what a person wants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.models import EngineState, ModelEntry, Transfer
from app.ui import models_words as say
from app.ui.models_page import ModelsPage
from mlx_glm45v.parameters.recipes import RECIPES

REPO = "mlx-community/GLM-4.5V-4bit"
DEMO = ModelEntry("demo", "Demo", "demo", "ready", size=5_600_000, fits="yes")
ABSENT = ModelEntry(
    REPO,
    "GLM-4.5V 4-bit",
    "hub",
    "absent",
    size=61_900_000_000,
    bits=4,
    context_length=65_536,
    fits="raised",
    sums=("weights  61.9 GB", "total  68.9 GB", "this machine <offers> less"),
)
HERE = ModelEntry(REPO, "GLM-4.5V 4-bit", "hub", "ready", size=61_900_000_000)
FOLDER = ModelEntry("/m/mine", "mine", "folder", "ready", size=5, convertible=True)


@pytest.fixture
def page(qapp_theme) -> Iterator[ModelsPage]:
    qapp_theme.apply("light")
    page = ModelsPage()
    page.resize(760, 520)
    page.show()
    yield page
    page.close()
    page.deleteLater()


def shown(page: ModelsPage, name: str) -> set[str]:
    row = page.row(name)
    return {row.buttons.button(each).text() for each in row.buttons.shown}


@pytest.mark.parametrize(
    ("entry", "buttons"),
    [
        (DEMO, {"Load"}),
        (ABSENT, {"Download"}),
        (HERE, {"Load", "Delete"}),
        (FOLDER, {"Load", "Convert…", "Remove"}),
        (
            ModelEntry(REPO, "x", "hub", "partial", size=9, fetched=4),
            {"Resume", "Delete"},
        ),
        (ModelEntry("/m", "x", "folder", "broken"), {"Remove"}),
    ],
)
def test_a_row_offers_what_makes_sense(page, entry, buttons):
    page.set_entries((entry,))
    assert shown(page, entry.name) == buttons


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("running", {"Pause", "Cancel"}),
        ("verifying", {"Pause", "Cancel"}),
        ("paused", {"Resume", "Cancel"}),
        ("failed", {"Download"}),
    ],
)
def test_a_transfer_has_its_own_buttons(page, state, buttons):
    page.set_entries((ABSENT,))
    page.set_transfers((Transfer(REPO, "download", state, problem="No network."),))
    assert shown(page, REPO) == buttons
    row = page.row(REPO)
    assert row.bar.isVisibleTo(row) is (state != "failed")


@pytest.mark.parametrize(
    ("button", "signal", "transfer"),
    [
        ("download", "download_requested", None),
        ("pause", "pause_requested", "running"),
        ("cancel", "cancel_requested", "running"),
        ("resume", "resume_requested", "paused"),
    ],
)
def test_buttons_say_the_models_name(page, button, signal, transfer):
    heard: list[str] = []
    getattr(page, signal).connect(heard.append)
    page.set_entries((ABSENT,))
    if transfer:
        page.set_transfers((Transfer(REPO, "download", transfer),))
    page.row(REPO).buttons.button(button).click()
    assert heard == [REPO]


def test_the_loaded_model_can_be_unloaded(page):
    heard: list[str] = []
    page.unload_requested.connect(lambda: heard.append("unload"))
    page.set_entries((DEMO, HERE))
    page.set_engine(EngineState("ready", "demo"))
    assert shown(page, "demo") == {"Unload"}
    assert "In use" in page.row("demo").facts.text()
    page.row("demo").buttons.button("unload").click()
    assert heard == ["unload"]


def test_what_does_not_fit_here_says_so_before_it_is_loaded(page):
    page.set_entries((ModelEntry(REPO, "x", "hub", "ready", fits="no"),))
    load = page.row(REPO).buttons.button("load")
    assert load.isEnabled()  # the window asks before it is done
    assert "memory" in load.toolTip()


def test_what_reads_its_experts_says_how_fast_disks_allow_it(page):
    page.set_entries(
        (ModelEntry(REPO, "x", "hub", "ready", fits="streamed", pace=(0.42, 1.18)),)
    )
    said = page.row(REPO).verdict.text()
    assert said == "Fits in part: the disk allows 0.4 to 1.2 tokens a second"
    assert page.row(REPO).buttons.button("load").isEnabled()


def is_whole(label):
    if label.wordWrap():
        return label.height() >= label.heightForWidth(label.width())
    return label.width() >= label.sizeHint().width()


@pytest.mark.parametrize("width", [760, 560, 380])
def test_a_verdict_is_never_cut_off(page, wait_until, width):
    entry = ModelEntry(REPO, "x", "hub", "ready", fits="streamed", pace=(0.42, 1.18))
    page.resize(width, 520)
    page.set_entries((entry,))
    wait_until(lambda: is_whole(page.row(REPO).verdict))


def test_what_is_broken_cannot_be_loaded(page):
    page.set_entries((ModelEntry(REPO, "x", "hub", "ready", problem="It is torn."),))
    assert not page.row(REPO).buttons.button("load").isEnabled()


def test_deleting_asks_first(page):
    heard: list[str] = []
    page.delete_requested.connect(heard.append)
    page.set_entries((HERE,))
    row = page.row(REPO)
    delete = row.buttons.button("delete")
    delete.click()
    assert heard == []
    assert row.question.isVisibleTo(row)
    row.question.keep.click()
    assert not row.question.isVisibleTo(row)
    delete.click()
    row.question.confirm.click()
    assert heard == [REPO]


def test_a_folder_leaves_the_list_without_a_question(page):
    heard: list[str] = []
    page.delete_requested.connect(heard.append)
    page.set_entries((FOLDER,))
    page.row("/m/mine").buttons.button("delete").click()
    assert heard == ["/m/mine"]


def test_a_recipe_is_chosen_from_the_menu(page):
    heard: list[tuple[str, str]] = []
    page.convert_requested.connect(lambda *said: heard.append(said))
    page.set_entries((FOLDER,))
    page.row("/m/mine").buttons.button("convert").menu().actions()[0].trigger()
    assert heard == [("/m/mine", say.conversions()[0].recipe)]


def test_every_recipe_offered_is_one_of_the_converters():
    assert {each.recipe for each in say.conversions()} <= set(RECIPES)


def test_the_sum_opens_and_closes(page):
    page.set_entries((ABSENT,))
    row = page.row(REPO)
    assert not row.sums.isVisibleTo(row)
    row.sum_button.click()
    assert row.sums.isVisibleTo(row)
    assert "68.9 GB" in row.sums.text()
    assert "&lt;offers&gt;" in row.sums.text()


@pytest.mark.usefixtures("qapp_theme")
def test_nothing_is_made_before_it_is_shown():
    page = ModelsPage()
    page.set_entries((DEMO, ABSENT))
    page.set_engine(EngineState("ready", "demo"))
    assert not page.is_built
    page.show()
    assert "In use" in page.row("demo").facts.text()
    page.close()


def test_a_row_has_no_buttons_that_were_never_needed(page):
    page.set_entries((ABSENT,))
    row = page.row(REPO)
    assert row.buttons.shown == ("download",)
    with pytest.raises(KeyError):
        row.buttons.button("load")
    page.set_entries((HERE,))
    assert row.buttons.shown == ("load", "delete")


def test_a_row_stays_the_same_while_its_state_changes(page):
    page.set_entries((DEMO, ABSENT))
    row = page.row(REPO)
    row.sum_button.click()
    page.set_entries((DEMO, HERE, FOLDER))
    assert page.row(REPO) is row
    page.set_entries((DEMO,))
    with pytest.raises(KeyError):
        page.row(REPO)


def test_progress_is_words_and_a_bar(page):
    page.set_entries((ABSENT,))
    transfer = Transfer(
        REPO, "download", "running", 12_300_000_000, 61_900_000_000, 45e6, 1102
    )
    page.set_transfers((transfer,))
    row = page.row(REPO)
    assert row.progress.text() == "12.3 GB of 61.9 GB · 45.0 MB/s · 18 min left"
    assert row.bar.value() == 199


def test_escape_closes(page):
    heard: list[str] = []
    page.closed.connect(lambda: heard.append("closed"))
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert heard == ["closed"]


def test_buttons_name_their_model_to_a_screen_reader(page):
    page.set_entries((ABSENT,))
    download = page.row(REPO).buttons.button("download")
    assert download.accessibleName() == "Download, GLM-4.5V 4-bit"


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_nothing_is_wider_than_a_narrow_window(qapp_theme, qapp, scale):
    qapp_theme.apply("dark", scale=scale)
    page = ModelsPage()
    page.resize(500, 520)  # 760 with the sidebar open
    long = ModelEntry("/m/" + "x" * 90, "x" * 90, "folder", "broken", problem="y" * 90)
    page.set_entries((DEMO, ABSENT, FOLDER, long))
    page.show()
    page.row(REPO).sum_button.click()
    qapp.processEvents()
    assert page.area.horizontalScrollBar().maximum() == 0
    qapp_theme.apply("light")
