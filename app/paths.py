"""Where the app keeps what is a person's: the platform's folder for application data.

`GLM45V_APP_DATA` names another one, which keeps tests and second profiles apart.
"""

from __future__ import annotations

import os
from pathlib import Path

APP_NAME = "GLM45V Chat"
ENVIRONMENT = "GLM45V_APP_DATA"


def data_folder() -> Path:
    """The folder of store, settings and logs, made where it is missing."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        folder = Path(named).expanduser()
    else:
        from PySide6.QtCore import QStandardPaths

        place = QStandardPaths.StandardLocation.GenericDataLocation
        folder = Path(QStandardPaths.writableLocation(place)) / APP_NAME
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings_file() -> Path:
    """The settings, in a file of their own that a person can copy."""
    return data_folder() / "settings.ini"


def log_file() -> Path:
    """What the app and its processes had to say."""
    return data_folder() / "log.txt"
