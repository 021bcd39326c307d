"""What the model said: thinking, text, boxes on pictures, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from ...conversation import Box, Turn
from ..theme import set_role
from .body import Body
from .grounding import BoxPicture
from .problem import Problem
from .row import MessageRow
from .shared import Shared
from .thinking import ThinkingPanel


class AnswerRow(MessageRow):
    """Flat, in the full column; whole or streaming."""

    def __init__(self, turn: Turn, shared: Shared, parent: QWidget) -> None:
        super().__init__(turn, shared, parent)
        self._thinking: ThinkingPanel | None = None
        self._body = Body(shared, self)
        self._body.box_hovered.connect(self.light)
        self._pictures: list[BoxPicture] = []
        self._shown_boxes: tuple[Box, ...] = ()
        self._note: _Note | None = None
        self._problem: Problem | None = None
        self._lit = -1
        self.put(self._body)
        self.put(self.tools)

    @property
    def body(self) -> Body:
        """The text."""
        return self._body

    @property
    def thinking(self) -> ThinkingPanel | None:
        """The panel, where the model thought."""
        return self._thinking

    @property
    def pictures(self) -> tuple[BoxPicture, ...]:
        """Pictures with the answer's boxes."""
        return tuple(self._pictures)

    @property
    def problem(self) -> Problem | None:
        """What went wrong."""
        return self._problem

    def append(self, channel: str, text: str) -> None:
        """More of the stream."""
        if channel == "thinking":
            panel = self._panel()
            if not panel.running:
                panel.start()
            panel.append(text)
            return
        if self._thinking is not None and self._thinking.running:
            self._thinking.finish()
        self._body.append(text)

    def content(self) -> Iterator[None]:
        turn = self._turn
        self._show_thinking(turn)
        if turn.state == "streaming":
            if self._body.text != turn.text:
                yield from self._streamed(turn.text)
        else:
            if self._body.streams and turn.text == self._body.text:
                self._body.finish()
            if not self._body.shows(turn.text, turn.boxes):
                yield from self._body.set_text(turn.text, turn.boxes)
        self._show_boxes(turn.boxes)
        self._show_note(turn)
        self._show_problem(turn)
        self.settle()
        yield

    def restyle(self) -> Iterator[None]:
        if self._thinking is not None:
            self._thinking.restyle()
        yield from self._body.restyle()
        for picture in self._pictures:
            picture.restyle()
        for part in (self._note, self._problem):
            if part is not None:
                part.restyle()
        self.tools.restyle()
        self.settle()
        yield

    def given_up(self) -> Iterator[None]:
        yield from self._body.given_up()
        yield from super().given_up()

    def reload_pictures(self) -> None:
        for picture in self._pictures:
            picture.reload()

    def light(self, box: int) -> None:
        """Light a box in the picture and its words in the text, -1 for none."""
        if box == self._lit:
            return
        self._lit = box
        self._body.light(box)
        for picture in self._pictures:
            picture.light(box)

    def set_restartable(self, restartable: bool) -> None:
        """Whether starting the model again may help."""
        if self._problem is not None:
            self._problem.set_restartable(restartable)

    def _panel(self) -> ThinkingPanel:
        if self._thinking is None:
            self._thinking = ThinkingPanel(self._shared, self)
            self.put(self._thinking, 0)
        return self._thinking

    def _show_thinking(self, turn: Turn) -> None:
        if not turn.thinking and self._thinking is None:
            return
        panel = self._panel()
        if turn.state != "streaming":
            panel.show_finished(turn.thinking, turn.thinking_seconds)
        elif not turn.text and not panel.running:
            panel.start(turn.thinking)
        elif turn.text and not self._body.text:
            panel.show_finished(turn.thinking, turn.thinking_seconds)

    def _streamed(self, text: str) -> Iterator[None]:
        """What a stream has said before this row was made."""
        if text.startswith(self._body.text):
            self._body.append(text[len(self._body.text) :])
            yield

    def _show_boxes(self, boxes: tuple[Box, ...]) -> None:
        if boxes == self._shown_boxes:
            return
        self._shown_boxes = boxes
        for picture in self._pictures:
            self.take_out(picture)
        self._pictures = []
        groups: dict[tuple[str, int | None], list[tuple[int, Box]]] = {}
        for number, box in enumerate(boxes):
            if box.width > 0 and box.height > 0:
                groups.setdefault((box.digest, box.page), []).append((number, box))
        for group in groups.values():
            picture = BoxPicture(tuple(group), self._shared, self)
            picture.hovered.connect(self.light)
            self._pictures.append(picture)
            self.put(picture, self.stacked.index(self.tools))

    def _show_note(self, turn: Turn) -> None:
        words = {
            "cut": self.tr("The answer reached the most tokens that it may have."),
            "looped": self.tr("The answer only repeated itself, and was ended."),
            "stopped": self.tr("Stopped."),
        }.get(turn.state)
        if self._note is not None:
            self.take_out(self._note)
            self._note = None
        if words is not None:
            self._note = _Note(turn, words, self._shared, self)
            self.put(self._note, self.stacked.index(self.tools))

    def _show_problem(self, turn: Turn) -> None:
        if turn.error is None:
            if self._problem is not None:
                self.take_out(self._problem)
                self._problem = None
            return
        if self._problem is None:
            self._problem = Problem(self._shared, self)
            self.put(self._problem, self.stacked.index(self.tools))
        self._problem.set_words(turn.error)


class _Note(QLabel):
    """Why an answer ended before its end, and how it goes on."""

    def __init__(self, turn: Turn, words: str, shared: Shared, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "meta")
        self.setWordWrap(True)
        if turn.state == "cut":
            words += f' <a href="continue">{self.tr("Continue")}</a>'
            flags = Qt.TextInteractionFlag.LinksAccessibleByMouse
            flags |= Qt.TextInteractionFlag.LinksAccessibleByKeyboard
            self.setTextInteractionFlags(flags)
            self.linkActivated.connect(lambda _: shared.wishes.go_on.emit(turn.id))
        self.setText(words)

    def restyle(self) -> None:
        """The link's colour is taken when the text is set."""
        words = self.text()
        self.setText("")
        self.setText(words)
