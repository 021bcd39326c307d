"""Which settings the page shows, in which order and in which words.

Makes fields, knows settings' names and ranges. Does not know the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from ..settings import RANGES
from .settings_fields import ChoiceField, Field, NumberField, TextField, TickField

# Settings that mean something only while the checkpoint's sampling is not used.
SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty")


def sections(parent: QWidget) -> Sequence[tuple[str, Sequence[Field]]]:
    """(heading, fields) from top to bottom."""
    return (
        (_tr("Answers"), _answers(parent)),
        (_tr("Sampling"), _sampling(parent)),
        (_tr("Pictures and videos"), _media(parent)),
        (_tr("Look"), _look(parent)),
        (_tr("Start"), _start(parent)),
    )


def _answers(parent: QWidget) -> Sequence[Field]:
    return (
        TextField(
            "system_prompt",
            _tr("System prompt"),
            _tr("Told to the model before each conversation."),
            _tr("For example: answer in short sentences"),
            parent,
        ),
        NumberField(
            "max_tokens",
            _tr("Longest answer, in tokens"),
            RANGES["max_tokens"],
            step=256,
            hint=_tr("Thinking counts. A token is about four letters."),
            parent=parent,
        ),
        NumberField(
            "thinking_budget",
            _tr("Tokens for thinking"),
            RANGES["thinking_budget"],
            step=256,
            optional=_tr("Limit thinking to so many tokens"),
            start=2048,
            hint=_tr("After that many the model has to answer."),
            parent=parent,
        ),
        NumberField(
            "context",
            _tr("Context, in tokens"),
            RANGES["context"],
            step=1024,
            optional=_tr("Use less than the model's whole context"),
            start=16384,
            hint=_tr(
                "Prompt and answer together. Less of it takes less memory, from the "
                "next question on."
            ),
            parent=parent,
        ),
    )


def _sampling(parent: QWidget) -> Sequence[Field]:
    return (
        TickField(
            "checkpoint_sampling",
            _tr("Use the model's own values"),
            _tr("What its makers recommend. Untick to choose yourself."),
            parent,
        ),
        NumberField(
            "temperature",
            _tr("Temperature"),
            RANGES["temperature"],
            step=0.05,
            hint=_tr("0 takes the likeliest word always, more is more varied."),
            parent=parent,
        ),
        NumberField(
            "top_p",
            _tr("Top p"),
            RANGES["top_p"],
            step=0.05,
            hint=_tr("Only the likeliest words that make up this share; 1 is all."),
            parent=parent,
        ),
        NumberField(
            "top_k",
            _tr("Top k"),
            RANGES["top_k"],
            hint=_tr("Only so many of the likeliest words; 0 is all."),
            parent=parent,
        ),
        NumberField(
            "repetition_penalty",
            _tr("Repetition penalty"),
            RANGES["repetition_penalty"],
            step=0.05,
            hint=_tr("Above 1 the model avoids words it has used."),
            parent=parent,
        ),
    )


def _media(parent: QWidget) -> Sequence[Field]:
    own = _tr("The model's own")
    return (
        ChoiceField(
            "detail",
            _tr("Detail of new attachments"),
            (
                ("low", _tr("Low: quick, small print is lost")),
                ("normal", _tr("Normal")),
                ("high", _tr("High: as sharp as allowed")),
            ),
            _tr("Also of what stands in the message that is being written."),
            parent,
        ),
        ChoiceField(
            "image_max_pixels",
            _tr("Most tokens of a picture"),
            (
                (None, _tr("{}, 6,144 tokens").format(own)),
                (2_408_448, _tr("3,072 tokens")),
                (1_204_224, _tr("1,536 tokens")),
                (401_408, _tr("512 tokens, small print is lost")),
            ),
            _tr(
                "Larger pictures are made smaller before the model sees them: 1,000 "
                "tokens show 0.8 million pixels."
            ),
            parent,
        ),
        ChoiceField(
            "video_max_pixels",
            _tr("Most tokens of a video"),
            (
                (None, _tr("{}, 30,000 tokens").format(own)),
                (18_816_000, _tr("12,000 tokens")),
                (6_272_000, _tr("4,000 tokens")),
            ),
            _tr("All frames share them: those of a long video are smaller."),
            parent,
        ),
        ChoiceField(
            "video_fps",
            _tr("Frames of a video"),
            (
                (None, _tr("{}, 2 a second").format(own)),
                (4.0, _tr("4 a second, for quick movements")),
                (1.0, _tr("1 a second")),
                (0.5, _tr("1 in two seconds")),
            ),
            parent=parent,
        ),
    )


def _look(parent: QWidget) -> Sequence[Field]:
    sizes = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
    return (
        ChoiceField(
            "theme",
            _tr("Colours"),
            (
                ("system", _tr("As the system")),
                ("light", _tr("Light")),
                ("dark", _tr("Dark")),
            ),
            parent=parent,
        ),
        ChoiceField(
            "font_scale",
            _tr("Size of text"),
            [(size, f"{size:.0%}") for size in sizes],
            parent=parent,
        ),
    )


def _start(parent: QWidget) -> Sequence[Field]:
    return (
        TickField(
            "load_last_model",
            _tr("Load the last model when the app starts"),
            parent=parent,
        ),
    )


def _tr(text: str) -> str:
    return QCoreApplication.translate("settings", text)
