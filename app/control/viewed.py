"""What is looked at in the viewer, and how it becomes what the window shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..conversation import Attachment
from ..ui.viewer import ViewerValue
from ..workers.values import MediumCost
from .budgets import FOLLOWS, Own


@dataclass(frozen=True)
class Viewed:
    """One attachment. `key` is the draft's; None for what was sent.

    `cost` is the last that was counted: while `counting` it is no longer true. `count`
    are all pages of a document, 0 while nobody has counted them. `own` are its choices.
    """

    attachment: Attachment
    key: str | None = None
    own: Own = FOLLOWS
    cost: MediumCost | None = None
    counting: bool = True
    count: int = 0
    problem: str | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The pages that can be looked at: all of a draft's, of others those sent."""
        if self.attachment.kind != "document":
            return ()
        if self.key is None and self.attachment.pages is not None:
            return self.attachment.pages
        return tuple(range(1, self.count + 1))

    @property
    def size(self) -> tuple[int, int] | None:
        """Its own pixels."""
        return None if self.cost is None else (self.cost.width, self.cost.height)

    def counted(self, cost: MediumCost) -> Viewed:
        """With what it takes; the pages are all of them where none were chosen."""
        whole = self.attachment.pages is None
        count = cost.pages if whole else self.count
        return replace(self, cost=cost, counting=False, count=count)


def value_of(viewed: Viewed) -> ViewerValue:
    """For the window."""
    attachment, cost = viewed.attachment, viewed.cost
    value = ViewerValue(
        attachment.name,
        attachment.kind,
        size=viewed.size,
        tokens=attachment.tokens,
        counting=viewed.counting and viewed.problem is None,
        numbers=viewed.numbers,
        pages=attachment.pages,
        detail=viewed.own.detail or "normal",
        fps=viewed.own.fps,
        problem=viewed.problem,
        editable=viewed.key is not None,
    )
    if cost is None:
        return value
    # What was sent took what it took, whoever counts now.
    sent = viewed.key is None and attachment.tokens is not None
    return replace(
        value,
        seen=cost.resized,
        tokens=attachment.tokens if sent else cost.tokens,
        length=cost.duration,
        seconds=cost.seconds,
    )
