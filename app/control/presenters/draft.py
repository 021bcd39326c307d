"""The draft's cards, its share of the context, and why it cannot be sent yet."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from ...ui.composer import CardValue
from ..draft import Item
from ..parts import Parts

# Cards that change within so many milliseconds are shown together.
_TOGETHER_MS = 30


class DraftPresenter(QObject):
    """Shows what the draft holds and costs."""

    def __init__(self, parts: Parts, parent: QObject) -> None:
        super().__init__(parent)
        self._parts = parts
        self._composer = composer = parts.window.composer
        self._used: int | None = None
        self._showing = QTimer(self, singleShot=True, interval=_TOGETHER_MS)
        self._showing.timeout.connect(self._show_cards)
        parts.talk.opened.connect(self._opened)
        parts.arrivals.pending_changed.connect(self._block)
        draft = parts.draft
        draft.changed.connect(self._changed)
        draft.counted.connect(self._counted)
        parts.pictures.changed.connect(self._changed)
        parts.pictures.unreadable.connect(draft.mark_unreadable)
        parts.settings.changed.connect(self._show_cost)
        parts.engine.state_changed.connect(self._show_cost)
        composer.attachment_removed.connect(draft.remove)
        composer.attachment_moved.connect(draft.move)
        self._show_cost()

    def _opened(self) -> None:
        # What another conversation took is not known to be too long here.
        self._counted(None)

    def _changed(self) -> None:
        self._block()
        if not self._showing.isActive():
            self._showing.start()

    def _show_cards(self) -> None:
        items = self._parts.draft.items
        self._parts.pictures.learn(tuple(item.attachment for item in items))
        self._composer.set_attachments(tuple(self._card(item) for item in items))

    def _card(self, item: Item) -> CardValue:
        attachment, cost = item.attachment, item.cost
        page = attachment.pages[0] if attachment.pages else None
        shown = self._parts.pictures.picture(attachment.digest, page)
        return CardValue(
            key=item.key,
            name=attachment.name,
            kind=attachment.kind,
            thumbnail=shown,
            tokens=cost.tokens if cost else None,
            length=cost.duration if cost and attachment.kind == "video" else None,
            pages=cost.pages if cost and attachment.kind == "document" else None,
            problem=item.problem,
            reading=cost is None and item.problem is None,
        )

    def _counted(self, used: int | None) -> None:
        self._used = used
        self._show_cost()

    def _show_cost(self) -> None:
        whole = self._context()
        self._composer.set_cost(self._used, whole)
        self._parts.window.header.set_context(self._used, whole)
        self._block()

    def _context(self) -> int:
        state = self._parts.engine.state
        chosen = self._parts.settings.settings.context
        return min(chosen or state.context_length, state.context_length)

    def _block(self) -> None:
        phase = self._parts.engine.state.phase
        reason = None
        if phase in ("off", "failed"):
            reason = self.tr("No model is loaded. Choose one on the models page.")
        elif self._parts.draft.is_reading or self._parts.arrivals.pending:
            reason = self.tr("A file is still being read.")
        elif self._used is not None and 0 < self._context() <= self._used:
            reason = self.tr(
                "This is longer than the model's context: remove something, or choose "
                "less detail."
            )
        self._composer.set_blocked(reason)
