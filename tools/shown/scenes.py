"""What a person does before each picture, in the order of one sitting.

Goes through the widgets' own signals and methods, as a click or a key would.
"""

from __future__ import annotations

from app.control.presenters.viewer import ViewerPresenter

from .conversations import BOXES, LONG, example_pdf, torn_picture
from .session import MEDIA, Session

# Characters of thinking that are worth a picture.
_SOME = 30


def empty(s: Session) -> None:
    """The first thing that is seen."""
    s.take("empty")


def draft(s: Session) -> None:
    """A picture, a clip, a document and a file that is broken, before sending."""
    if not (s.wants("draft") or s.wants("trouble")):
        return
    document = example_pdf(s.scratch / "rainfall.pdf")
    arrivals, items = s.wiring.parts.arrivals, s.wiring.parts.draft
    arrivals.bring_paths((MEDIA / "example.png", MEDIA / "example.mp4", document))
    s.wait("three files", lambda: len(items.items) == 3 and not items.is_reading)
    _write(s, "Describe the picture.")
    s.wait("thumbnails", lambda: _all_shown(s))
    s.take("draft")
    arrivals.bring_paths((torn_picture(s.scratch / "torn.png", MEDIA / "example.png"),))
    s.wait("a torn file", lambda: any(item.problem for item in items.items))
    s.rest(0.5)
    s.take("trouble")
    for item in items.items:
        items.remove(item.key)
    _write(s, "")


def viewer(s: Session) -> None:
    """A picture, a clip's frames and a document's pages, each large."""
    scenes = ("viewer-picture", "viewer-frames", "viewer-pages")
    if not any(map(s.wants, scenes)):
        return
    document = example_pdf(s.scratch / "rainfall.pdf", pages=9)
    arrivals, items = s.wiring.parts.arrivals, s.wiring.parts.draft
    arrivals.bring_paths((MEDIA / "example.png", MEDIA / "example.mp4", document))
    s.wait("three files", lambda: len(items.items) == 3 and not items.is_reading)
    presenter = s.wiring.findChild(ViewerPresenter)
    assert presenter is not None
    for scene, item in zip(scenes, items.items, strict=True):
        if scene == "viewer-pages":
            items.set_pages(item.key, (1, 2, 3, 7))
        s.window.composer.attachment_opened.emit(item.key)
        dialog = presenter.viewer.dialog
        assert dialog is not None
        s.rest(2.0)
        s.take(scene, over=dialog)
        dialog.close()
    for item in items.items:
        items.remove(item.key)


def asking(s: Session) -> None:
    """Thinking, a queue, and the finished answer."""
    if not any(map(s.wants, ("thinking", "queue", "answer"))):
        return
    talk, window = s.wiring.parts.talk, s.window
    s.wiring.parts.talk.open(None)
    _bring_picture(s)
    _send(s, "Where is the star?")
    s.wait("thoughts", lambda: len(_thoughts(s)) > _SOME)
    s.halt_model()
    s.take("thinking")
    for text in ("How many shapes are there?", "What colour is the circle?"):
        _send(s, text)
    s.take("queue")
    for _ in talk.outbox.waiting:
        talk.outbox.remove(talk.outbox.waiting[0].id)
    s.resume_model()
    s.wait("an answer", lambda: not talk.busy)
    # Again, since the one that stood still says it was slow.
    window.transcript.regenerate_requested.emit(talk.turns()[-1].id)
    s.wait("another answer", lambda: not talk.busy)
    s.rest()

    def show_actions() -> None:
        for row in window.transcript.column.rows:
            row.tools.set_shown(row.turn.role == "assistant")

    s.take("answer", show_actions)


def boxes(s: Session) -> None:
    """An answer with all that Markdown has, and boxes on its picture."""
    _open(s, BOXES)
    s.take("boxes")
    if s.wants("boxes-top"):
        bar = s.window.transcript.column.verticalScrollBar()
        s.take("boxes-top", lambda: bar.setValue(0))


def long_title(s: Session) -> None:
    """A title that does not fit."""
    _open(s, LONG)
    s.take("title")


def search(s: Session) -> None:
    """What a search finds."""
    sidebar = s.window.sidebar
    sidebar.focus_search()
    sidebar.search.setText("shapes")
    s.wait("hits", lambda: sidebar.hits.rowCount())
    s.take("search")
    sidebar.search.clear()
    s.rest()


def models(s: Session) -> None:
    """The models that there are."""
    s.window.show_page(s.window.models)
    s.wait("models", lambda: s.wiring.parts.catalogue.entries)
    s.take("models")


def settings(s: Session) -> None:
    """All choices."""
    page = s.window.settings
    s.window.show_page(page)
    s.take("settings")


def shortcuts(s: Session) -> None:
    """All keys."""
    s.window.show_page(s.window.shortcuts)
    s.take("shortcuts")
    s.window.show_chat()


def drop(s: Session) -> None:
    """Files hover over the window."""
    s.window.drops.overlay.cover()
    s.take("drop", s.window.drops.overlay.cover)
    s.window.drops.overlay.hide()


def error(s: Session) -> None:
    """The model's process dies while it answers."""
    if not s.wants("error"):
        return
    talk = s.wiring.parts.talk
    talk.open(None)
    _bring_picture(s)
    _send(s, "Describe the picture.")
    s.wait("thoughts", lambda: len(_thoughts(s)) > _SOME)
    s.kill_model()
    s.wait("the end", lambda: not talk.busy)
    s.take("error")


SCENES = (
    empty,
    draft,
    viewer,
    asking,
    boxes,
    long_title,
    search,
    models,
    settings,
    shortcuts,
    drop,
    error,
)


def _thoughts(s: Session) -> str:
    turns = s.wiring.parts.talk.turns()
    return turns[-1].thinking if turns else ""


def _bring_picture(s: Session) -> None:
    items = s.wiring.parts.draft
    s.wiring.parts.arrivals.bring_paths((MEDIA / "example.png",))
    s.wait("a picture", lambda: len(items.items) == 1 and not items.is_reading)


def _all_shown(s: Session) -> bool:
    shown = s.wiring.parts.pictures.picture
    return all(
        shown(item.attachment.digest, (item.attachment.pages or (None,))[0])
        for item in s.wiring.parts.draft.items
    )


def _write(s: Session, text: str) -> None:
    s.counted = False
    s.window.composer.set_text(text)
    s.wiring.parts.draft.set_text(text)
    s.wait("the count", lambda: s.counted or s.wiring.parts.talk.busy)


def _send(s: Session, text: str) -> None:
    _write(s, text)
    s.window.composer.send_requested.emit(text)
    s.rest(0.05)


def _open(s: Session, title: str) -> None:
    found = [one for one in s.store.conversations() if one.title == title]
    s.window.sidebar.opened.emit(found[0].id)
    s.wait(title, lambda: s.window.transcript.column.rows)
    s.wait("its messages", lambda: not s.window.transcript.busy)
    # The first code and the first formula take longest.
    s.rest(2.0)
