"""The transcript as the window sees it: turns and pieces of text in, wishes out."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, SignalInstance
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QResizeEvent
from PySide6.QtWidgets import QApplication, QStackedLayout, QToolButton, QWidget

from ...conversation import Turn
from ..background import Background
from ..icons import dress
from ..palette import XS, S
from ..theme import Theme
from .answer import AnswerRow
from .column import Column
from .highlighting import Highlights
from .maths import Formulas
from .progress import ProgressLine
from .shared import Pictures, Shared, Wishes
from .slices import Slices

_INTERVAL = 34  # milliseconds between two updates of a stream


class TranscriptView(QWidget):
    """One conversation's path. `shut_down` before it goes."""

    copy_requested = Signal(str)
    regenerate_requested = Signal(object)  # turn id
    edit_requested = Signal(object)
    variant_requested = Signal(object, int)  # turn id, step
    continue_requested = Signal(object)
    delete_requested = Signal(object)
    answer_now_requested = Signal()
    restart_model_requested = Signal()
    show_log_requested = Signal()
    save_picture_requested = Signal(object, object, object)  # digest, page, boxes
    link_hovered = Signal(str)
    media_opened = Signal(object)  # Attachment

    def __init__(
        self, theme: Theme, pictures: Pictures, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._background = Background(self)
        self._slices = Slices(self)
        self._wishes = Wishes(self)
        self._shared = Shared(
            theme,
            pictures,
            Formulas(theme, self._background, self),
            Highlights(self._background, self),
            self._slices,
            self._wishes,
        )
        self._restartable = False
        self._pieces: list[tuple[int, str, str]] = []
        self._flushing = QTimer(self)
        self._flushing.setInterval(_INTERVAL)
        self._flushing.timeout.connect(self._flush)
        self._column = Column(self._shared, self)
        self._progress = ProgressLine(theme, self._column.ground)
        self._column.set_foot(self._progress)
        self._empty = QWidget(self)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._column)
        self._pages.addWidget(self._empty)
        self._down = QToolButton(self)
        self._down.setObjectName("down")
        self._down.setToolTip(self.tr("To the end"))
        self._down.setAccessibleName(self.tr("To the end"))
        self._down.clicked.connect(self._column.following.to_end)
        self._down.hide()
        self._column.following.changed.connect(self._show_down)
        self._column.row_changed.connect(self._offer_restart)
        theme.changed.connect(self._restyle)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focus_moved)
        self._connect()
        self._dress()

    @property
    def column(self) -> Column:
        """The messages' widgets."""
        return self._column

    @property
    def busy(self) -> bool:
        """Whether messages near the reader are still being built."""
        return self._slices.busy

    @property
    def progress(self) -> ProgressLine:
        """What stands below the last message."""
        return self._progress

    def show_turns(self, turns: tuple[Turn, ...]) -> None:
        """Show a whole path. Messages that were shown before stay where they are."""
        self._flush()
        self._column.show_turns(turns)
        self._pages.setCurrentIndex(0 if turns else 1)
        self._show_down()

    def add_turn(self, turn: Turn) -> None:
        """Show one more message."""
        self._pages.setCurrentIndex(0)
        self._column.add_turn(turn)
        if turn.state == "streaming":
            self._announce(self.tr("The answer starts."))

    def update_turn(self, turn: Turn) -> None:
        """Show a message that has changed or is finished."""
        self._flush()
        slot = self._column.slots.by_id(turn.id)
        ended = slot is not None and slot.turn.state == "streaming" != turn.state
        self._column.update_turn(turn)
        if ended:
            self._announce(turn.error or self.tr("The answer is finished."))

    def append(self, turn_id: int, channel: str, text: str) -> None:
        """More of an answer: `channel` is "thinking" or "answer"."""
        self._pieces.append((turn_id, channel, text))
        if not self._flushing.isActive():
            self._flushing.start()

    def set_progress(self, text: str) -> None:
        """What the model does before it writes, "" for nothing."""
        if self._progress.set_words(text):
            self._column.arrange()

    def set_empty(self, widget: QWidget) -> None:
        """What stands here while there are no messages; it is the view's from now."""
        shown = self._pages.currentIndex()
        self._pages.removeWidget(self._empty)
        self._empty.deleteLater()
        self._empty = widget
        self._pages.addWidget(widget)
        self._pages.setCurrentIndex(shown)

    def set_restartable(self, restartable: bool) -> None:
        """Whether the last message's problem is helped by starting the model again."""
        self._restartable = restartable
        self._offer_restart()

    def reload_pictures(self) -> None:
        """Pictures that were not there may be there now."""
        for row in self._column.rows:
            row.reload_pictures()

    def to_end(self) -> None:
        """Go to the end and follow it, as after a message was sent."""
        self._column.following.to_end()

    def scroll_to(self, turn_id: int) -> None:
        """Bring a message to the top of the view and outline it for a moment."""
        slot = self._column.slots.by_id(turn_id)
        if slot is not None:
            self._column.go_to(slot).mark()

    def shut_down(self) -> None:
        """Wait for the other thread; nothing is drawn after this."""
        self._slices.clear()
        self._flushing.stop()
        self._background.close()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_down()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if not pieces:
            self._flushing.stop()
            return
        joined: list[tuple[int, str, str]] = []
        for turn_id, channel, text in pieces:
            if joined and joined[-1][:2] == (turn_id, channel):
                joined[-1] = (turn_id, channel, joined[-1][2] + text)
            else:
                joined.append((turn_id, channel, text))
        for turn_id, channel, text in joined:
            self._column.append(turn_id, channel, text)
        self._column.arrange()

    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        del old
        for row in self._column.rows:
            inside = new is not None and (row is new or row.isAncestorOf(new))
            row.within(inside)

    def _announce(self, words: str) -> None:
        """For screen readers: starts and ends, never the words between."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _offer_restart(self) -> None:
        slots = self._column.slots.all
        for row in self._column.rows:
            if isinstance(row, AnswerRow):
                last = row.turn.id == slots[-1].turn.id
                row.set_restartable(self._restartable and last)

    def _restyle(self) -> None:
        self._dress()
        self._progress.restyle()
        self._slices.add(self._column.restyle(), first=True)

    def _show_down(self) -> None:
        bar = self._column.verticalScrollBar()
        away = not self._column.following.following and bar.maximum() > 0
        self._down.setVisible(away and self._pages.currentIndex() == 0)
        self._place_down()

    def _place_down(self) -> None:
        side = self._down.width()
        self._down.move((self.width() - side) // 2, self.height() - side - S)
        self._down.raise_()

    def _dress(self) -> None:
        theme = self._theme
        size = theme.pixels(18)
        dress(self._down, "down", theme.palette.text, size)
        # Even, so that half of it is a radius that makes a circle.
        side = (size + 2 * XS + 2) // 2 * 2
        self._down.setFixedSize(side, side)
        colors, radius = theme.palette, side // 2
        self._down.setStyleSheet(
            f"QToolButton {{ background: {colors.raised}; padding: 0;"
            f" border: 1px solid {colors.border}; border-radius: {radius}px; }}"
            f"QToolButton:hover {{ background: {colors.soft}; }}"
            f"QToolButton:focus {{ border: 1px solid {colors.accent}; }}"
        )

    def _connect(self) -> None:
        wishes = self._wishes
        pairs: tuple[tuple[SignalInstance, SignalInstance], ...] = (
            (wishes.copy, self.copy_requested),
            (wishes.regenerate, self.regenerate_requested),
            (wishes.edit, self.edit_requested),
            (wishes.variant, self.variant_requested),
            (wishes.go_on, self.continue_requested),
            (wishes.delete, self.delete_requested),
            (wishes.answer_now, self.answer_now_requested),
            (wishes.restart_model, self.restart_model_requested),
            (wishes.show_log, self.show_log_requested),
            (wishes.save_picture, self.save_picture_requested),
            (wishes.hover_link, self.link_hovered),
            (wishes.open_media, self.media_opened),
        )
        for wish, request in pairs:
            wish.connect(request)
