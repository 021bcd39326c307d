"""Makes everything, in its order, and ends it.

Knows all rooms of the app. What happens between them is the presenters'.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from PySide6.QtCore import QObject

from ..engine.client import EngineClient
from ..paths import data_folder
from ..settings import SettingsKeeper
from ..store import Store
from ..ui.empty import Example
from ..ui.main_window import MainWindow
from ..ui.theme import Theme
from ..workers.catalogue import Catalogue
from ..workers.media import MediaWorker
from ..workers.transfers import Transfers
from .arrivals import Arrivals
from .draft import Draft
from .log import show_log
from .parts import Parts
from .pictures import Pictures
from .presenters.arrivals import ArrivalsPresenter
from .presenters.composer import ComposerPresenter
from .presenters.conversation import ConversationPresenter
from .presenters.draft import DraftPresenter
from .presenters.engine import EnginePresenter
from .presenters.models import ModelsPresenter
from .presenters.settings import SettingsPresenter
from .presenters.sidebar import SidebarPresenter
from .presenters.viewer import ViewerPresenter
from .presenters.work import WorkPresenter
from .talk import Talk

# In the order in which they hear of a conversation that is opened.
_PRESENTERS = (
    SettingsPresenter,
    ConversationPresenter,
    ComposerPresenter,
    DraftPresenter,
    ArrivalsPresenter,
    EnginePresenter,
    SidebarPresenter,
    ModelsPresenter,
    ViewerPresenter,
    WorkPresenter,
)


class Wiring(QObject):
    """Owns everything that is no widget; `close` ends it."""

    def __init__(
        self,
        *,
        theme: Theme,
        settings: SettingsKeeper,
        store: Store,
        engine: EngineClient,
        examples: tuple[Example, ...],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        folder, file_of = data_folder(), store.media.file_of
        media = MediaWorker(store.media.previews, self)
        pictures = Pictures(media, file_of, self)
        self.parts = parts = Parts(
            theme=theme,
            settings=settings,
            store=store,
            engine=engine,
            media=media,
            pictures=pictures,
            talk=Talk(store, engine, settings, self),
            draft=Draft(media, file_of, self),
            arrivals=Arrivals(store.media, self),
            transfers=Transfers(folder / "transfers.json", folder / "models", self),
            catalogue=Catalogue(settings.settings.model_folders, self),
            window=MainWindow(theme, pictures.picture, examples),
        )
        self._presenters = tuple(make(parts, self) for make in _PRESENTERS)

    @property
    def window(self) -> MainWindow:
        """What is shown."""
        return self.parts.window

    def begin(self) -> None:
        """An empty conversation; look for models and load the last one."""
        parts = self.parts
        parts.talk.open(None)
        if parts.store.recovered is not None:
            words = self.tr(
                "The conversations could not be read and were put aside as {name}; "
                "this is a new, empty list."
            )
            parts.window.notices.say(words.format(name=parts.store.recovered))
        settings = parts.settings.settings
        if settings.load_last_model:
            parts.engine.load(settings.last_model)
        parts.catalogue.refresh()

    def tell_fault(self, words: str) -> None:
        """An error that nobody expected was written to the log."""
        notices = self.parts.window.notices
        notices.say(words, self.tr("Show the log"), show_log)

    def offer_paths(self, paths: tuple[Path, ...]) -> None:
        """Files that were opened with the app."""
        self.parts.window.show_chat()
        self.parts.arrivals.bring_paths(paths)

    def close(self) -> None:
        """Keep every word, end all processes; waits for nobody."""
        parts = self.parts
        for step in (
            parts.draft.save,
            parts.talk.answer.flush,
            parts.engine.shutdown,
            parts.media.close,
            parts.transfers.close,
            parts.catalogue.close,
            parts.arrivals.close,
            parts.window.transcript.shut_down,
            parts.store.purge_deleted,
            parts.store.close,
        ):
            try:
                step()
            except Exception:  # the others have to end all the same
                traceback.print_exc()
