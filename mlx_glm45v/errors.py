"""The errors this library raises on purpose.

Each message names what was wrong with the numbers in it and what to do next, so that a
caller can show it to a person as it stands.
"""


class Glm45vError(Exception):
    """Base of every error the library raises on purpose."""


class CheckpointError(Glm45vError):
    """A checkpoint's files are missing, contradictory or not understood."""


class ConversionError(Glm45vError):
    """A conversion cannot start or go on: its target, its disk or its beginning."""


class MediaError(Glm45vError):
    """A picture, video or document cannot be used."""


class PromptTooLong(Glm45vError):
    """The prompt does not fit the model's context."""


class NotEnoughMemory(Glm45vError):
    """The model or the request does not fit this machine."""


class ConversationInUse(Glm45vError):
    """Another answer is being made on the same conversation, or ended this one."""


class DownloadError(Glm45vError):
    """A checkpoint could not be fetched."""


class Cancelled(Glm45vError):
    """The caller's `should_stop` asked for an end."""
