"""Under which heading a conversation stands: pinned, a day, a span, or a month."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from PySide6.QtCore import QCoreApplication, QLocale

from ...conversation import Conversation


def sorted_by_section(
    conversations: tuple[Conversation, ...],
) -> tuple[Conversation, ...]:
    """Pinned ones first, then the latest."""
    return tuple(sorted(conversations, key=lambda c: (not c.pinned, -c.updated)))


class Sections:
    """Headings for one day; made anew when the next begins."""

    def __init__(self, today: date, locale: QLocale | None = None) -> None:
        self.today = today
        self._locale = locale or QLocale()
        # Days in one section share a heading: 2,000 conversations have few days.
        self._known: dict[date, str] = {}

    def title(self, conversation: Conversation) -> str:
        """The heading, in the person's language."""
        if conversation.pinned:
            return QCoreApplication.translate("Sections", "Pinned")
        day = datetime.fromtimestamp(conversation.updated).date()
        if day not in self._known:
            self._known[day] = self._named(day)
        return self._known[day]

    def _named(self, day: date) -> str:
        # A clock set back leaves days in the future: they are as new as today.
        if day >= self.today:
            return QCoreApplication.translate("Sections", "Today")
        if day == self.today - timedelta(days=1):
            return QCoreApplication.translate("Sections", "Yesterday")
        if day >= self.today - timedelta(days=7):
            return QCoreApplication.translate("Sections", "Previous 7 days")
        if day >= self.today - timedelta(days=30):
            return QCoreApplication.translate("Sections", "Previous 30 days")
        month = self._locale.standaloneMonthName(day.month)
        month = month[:1].upper() + month[1:]
        return month if day.year == self.today.year else f"{month} {day.year}"
