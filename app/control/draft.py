"""What stands in the composer: words and attachments, what they cost, kept on disk.

Knows the store and the media worker. Does not know widgets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from ..conversation import Attachment, Turn
from ..settings import Settings
from ..store import StoreError
from ..workers.media import MediaWorker
from ..workers.values import Measured, MediaFailure, MediaSource, MediumCost, PromptTurn
from .budgets import FOLLOWS, Own, budgeted, own_of
from .pictures import picture_key

_COUNT_MS = 300
_SAVE_MS = 800


@dataclass(frozen=True)
class Item:
    """One attachment of the draft, by a key that stays its own."""

    key: str
    attachment: Attachment
    own: Own = FOLLOWS
    cost: MediumCost | None = None
    problem: str | None = None


class Draft(QObject):
    """The owner of what is not sent yet."""

    changed = Signal()  # items
    counted = Signal(object)  # int | None, tokens of the whole prompt
    settled = Signal(str, object)  # words and attachments to keep on disk

    def __init__(
        self,
        worker: MediaWorker,
        file_of: Callable[[Attachment], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._file_of = worker, file_of
        self._items: list[Item] = []
        self._text = ""
        self._turns: tuple[Turn, ...] = ()
        self._system = ""
        self._thinking = True
        self._settings = Settings()
        self._keys = count()
        self._asked: dict[int, str] = {}
        # What is counted from its first bytes may be torn further on.
        self._torn: dict[str, str] = {}
        self._prompt = 0
        self._answered = 0
        self._counting = QTimer(self, singleShot=True, interval=_COUNT_MS)
        self._counting.timeout.connect(self._count)
        self._saving = QTimer(self, singleShot=True, interval=_SAVE_MS)
        self._saving.timeout.connect(self.save)
        worker.measured.connect(self._measured)
        worker.failed.connect(self._failed)

    @property
    def items(self) -> tuple[Item, ...]:
        """The attachments in order."""
        return tuple(self._items)

    @property
    def text(self) -> str:
        """The words."""
        return self._text

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Those that can be sent, with what they cost."""
        return tuple(
            replace(each.attachment, tokens=each.cost.tokens if each.cost else None)
            for each in self._items
            if each.problem is None
        )

    @property
    def is_reading(self) -> bool:
        """Whether an attachment has not been looked at yet."""
        return any(each.cost is None and each.problem is None for each in self._items)

    @property
    def is_counting(self) -> bool:
        """Whether the prompt is not counted as it stands."""
        return self._counting.isActive() or self._answered != self._prompt

    def open(
        self,
        text: str,
        attachments: tuple[Attachment, ...],
        turns: tuple[Turn, ...],
        *,
        thinking: bool,
    ) -> None:
        """Begin with what was kept; `turns` are those that go before it."""
        self._saving.stop()
        self._text, self._turns, self._thinking = text, turns, thinking
        self._items = []
        for attachment in attachments:
            self._append(attachment)
        self.changed.emit()
        self._counting.start()

    def set_turns(self, turns: tuple[Turn, ...]) -> None:
        """What goes before the draft has changed."""
        self._turns = turns
        self._counting.start()

    def set_text(self, text: str) -> None:
        """Other words."""
        if text != self._text:
            self._text = text
            self._touched()

    def set_thinking(self, on: bool) -> None:
        """The toggle is a part of the prompt."""
        self._thinking = on
        self._counting.start()

    def set_settings(self, settings: Settings) -> None:
        """System prompt, and the budgets of what is in the draft and of what comes."""
        before, self._settings = self._settings, settings
        self._system = settings.system_prompt
        self._counting.start()
        for item in tuple(self._items):
            wanted = budgeted(item.attachment, settings, item.own)
            # What was kept or edited stays as it is until its budgets are others.
            if wanted != budgeted(item.attachment, before, item.own):
                self._renew(item, wanted, item.own)

    def add(self, attachment: Attachment) -> None:
        """One more at the end."""
        self._append(budgeted(attachment, self._settings, FOLLOWS))
        self.changed.emit()
        self._touched()

    def remove(self, key: str) -> None:
        """One less."""
        self._items = [each for each in self._items if each.key != key]
        self.changed.emit()
        self._touched()

    def move(self, key: str, step: int) -> None:
        """Earlier (-1) or later (1)."""
        places = [n for n, each in enumerate(self._items) if each.key == key]
        if not places:
            return
        to = min(max(places[0] + step, 0), len(self._items) - 1)
        self._items.insert(to, self._items.pop(places[0]))
        self.changed.emit()
        self._touched()

    def item(self, key: str) -> Item | None:
        """The attachment with this key."""
        return next((each for each in self._items if each.key == key), None)

    def own_of(self, key: str) -> Own:
        """What is chosen for one attachment. Raises KeyError when it is gone."""
        item = self.item(key)
        if item is None:
            raise KeyError(key)
        return own_of(item.attachment, self._settings, item.own)

    def set_detail(self, key: str, detail: str) -> None:
        """One attachment's own, which the settings change no more."""
        item = self.item(key)
        if item is not None:
            self._set_own(item, replace(self._base(item), detail=detail))

    def set_fps(self, key: str, fps: float | None) -> None:
        """One video's own frames a second; None follows detail and settings."""
        item = self.item(key)
        if item is not None:
            self._set_own(item, replace(self._base(item), fps=fps))

    def set_pages(self, key: str, pages: tuple[int, ...] | None) -> None:
        """Which pages of a document go, from 1; None for all of them."""
        item = self.item(key)
        if item is not None:
            self._renew(item, replace(item.attachment, pages=pages), item.own)

    def mark_unreadable(self, digest: str, problem: str) -> None:
        """Its head looked well, and the rest of it cannot be drawn."""
        for item in self._items:
            if item.attachment.digest == digest and item.problem is None:
                self._replace(item.key, problem=problem)
                self._counting.start()

    def clear(self) -> None:
        """It was sent."""
        self._text, self._items = "", []
        self.changed.emit()
        self.save()

    def save(self) -> None:
        """Keep it now."""
        self._saving.stop()
        self.settled.emit(self._text, self.attachments)

    def recount(self) -> None:
        """Another model counts."""
        for item in self._items:
            self._measure(item)
        self._counting.start()

    def _touched(self) -> None:
        self._counting.start()
        self._saving.start()

    def _base(self, item: Item) -> Own:
        """What it was given here; of what was kept, what its budgets tell."""
        given = budgeted(item.attachment, self._settings, item.own)
        return item.own if given == item.attachment else self.own_of(item.key)

    def _set_own(self, item: Item, own: Own) -> None:
        self._renew(item, budgeted(item.attachment, self._settings, own), own)

    def _renew(self, item: Item, attachment: Attachment, own: Own) -> None:
        """Measure one again, where it is not the same as before."""
        same = attachment == item.attachment
        if same and own == item.own:
            return
        renewed = replace(item, attachment=attachment, own=own)
        if not same:
            renewed = replace(renewed, cost=None, problem=None)
        self._items[self._items.index(item)] = renewed
        if not same:
            self._measure(renewed)
        self.changed.emit()
        self._touched()

    def _append(self, attachment: Attachment) -> None:
        item = Item(f"a{next(self._keys)}", attachment)
        self._items.append(item)
        self._measure(item)

    def _measure(self, item: Item) -> None:
        try:
            source = self._source(item.attachment, item.key)
        except StoreError as error:
            self._replace(item.key, problem=str(error))
            return
        request = self._worker.measure_attachment(source)
        # An older question about it is answered in vain: the detail is another now.
        self._asked = {n: key for n, key in self._asked.items() if key != item.key}
        self._asked[request] = item.key

    def _source(self, attachment: Attachment, key: str) -> MediaSource:
        return MediaSource(
            key=key,
            path=self._file_of(attachment),
            kind=attachment.kind,
            pages=attachment.pages,
            max_pixels=attachment.max_pixels,
            fps=attachment.fps,
        )

    def _count(self) -> None:
        told: list[PromptTurn] = []
        if self._system.strip():
            told.append(PromptTurn("system", self._system.strip()))
        try:
            told += [
                PromptTurn(
                    turn.role,
                    turn.text,
                    turn.thinking or None,
                    tuple(self._source(a, a.digest) for a in turn.attachments),
                )
                for turn in self._turns
                if turn.text or turn.attachments
            ]
            sources = tuple(self._source(a, a.digest) for a in self.attachments)
        except StoreError:  # a file is gone: nobody knows what it took
            self.counted.emit(None)
            return
        told.append(PromptTurn("user", self._text, None, sources))
        self._prompt = self._worker.measure_prompt(told, thinking=self._thinking)

    def _measured(self, measured: Measured) -> None:
        if measured.request == self._prompt:
            self._answered = self._prompt
            self.counted.emit(measured.total)
        elif (key := self._asked.pop(measured.request, None)) is not None:
            cost = measured.media[0]
            if measured.media[1:]:  # pages of a document, one by one
                tokens = sum(each.tokens for each in measured.media)
                cost = replace(cost, tokens=tokens)
            self._replace(key, cost=cost)

    def _failed(self, failure: MediaFailure) -> None:
        if failure.request == self._prompt:
            self._answered = self._prompt
            self.counted.emit(None)
        elif (key := self._asked.pop(failure.request, None)) is not None:
            self._replace(key, problem=failure.problem)
            self._counting.start()
        for item in self._items:
            if failure.key == picture_key(item.attachment.digest):
                self._torn[item.attachment.digest] = failure.problem
                self._replace(item.key, problem=failure.problem)
                self._counting.start()

    def _replace(
        self, key: str, *, cost: MediumCost | None = None, problem: str | None = None
    ) -> None:
        for place, item in enumerate(self._items):
            if item.key == key:
                problem = problem or self._torn.get(item.attachment.digest)
                problem = problem and named(problem, item.attachment)
                cost = None if problem else cost
                self._items[place] = replace(item, cost=cost, problem=problem)
                self.changed.emit()
                return


def named(problem: str, attachment: Attachment) -> str:
    """The problem with the person's name of the file in place of the store's."""
    return re.sub(rf"{attachment.digest}(\.\w+)?", lambda _: attachment.name, problem)
