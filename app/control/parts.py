"""Everything that presenters work with."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.client import EngineClient
from ..settings import SettingsKeeper
from ..store import Store
from ..ui.main_window import MainWindow
from ..ui.theme import Theme
from ..workers.catalogue import Catalogue
from ..workers.media import MediaWorker
from ..workers.transfers import Transfers
from .arrivals import Arrivals
from .draft import Draft
from .pictures import Pictures
from .talk import Talk


@dataclass(frozen=True)
class Parts:
    """One of each, for the life of the app."""

    theme: Theme
    settings: SettingsKeeper
    store: Store
    engine: EngineClient
    media: MediaWorker
    pictures: Pictures
    talk: Talk
    draft: Draft
    arrivals: Arrivals
    transfers: Transfers
    catalogue: Catalogue
    window: MainWindow
