"""GLM-4.5V on Apple Silicon through MLX.

    from mlx_glm45v import ChatSession, load

    model, processor = load("demo")
    reply = ChatSession(model, processor).ask("What is this?", images=["photo.png"])
    print(reply.answer)

Public names are imported at their first use (PEP 562), so that `import mlx_glm45v`
and `--help` wait for nothing. No public name equals a submodule's name, because
importing the submodule would put the module in its place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answering import stream_generate
    from .batch import BatchProgress, generate_batch
    from .chat import ChatSession
    from .checkpoints import Checkpoint, resolve
    from .config import Glm4vMoeConfig, Glm4vMoeTextConfig, Glm4vMoeVisionConfig
    from .conversion.pipeline import ConversionSummary, convert
    from .conversion.target import discard_conversion
    from .errors import (
        Cancelled,
        CheckpointError,
        ConversationInUse,
        ConversionError,
        DownloadError,
        Glm45vError,
        MediaError,
        NotEnoughMemory,
        PromptTooLong,
    )
    from .generation.events import Event, Finished, PrefillProgress, TextDelta, Usage
    from .generation.grounding import Box
    from .generation.reuse import GenerationCache
    from .generation.sampling import SamplingOptions
    from .hub.inventory import CachedRepo, cached_repos, delete_repo
    from .loading import load, load_model
    from .memory import (
        Assessment,
        Footprint,
        Verdict,
        assess_folder,
        assess_size,
        check_fits,
        estimate_footprint,
        verdicts,
    )
    from .messages import (
        DocumentPart,
        ImagePart,
        Message,
        TextPart,
        ToolCall,
        VideoPart,
    )
    from .model.decoder import Glm4vMoeTextModel
    from .model.glm4v_moe import Glm4vMoeForConditionalGeneration, Glm4vMoeModel
    from .model.traffic import ExpertTraffic
    from .model.vision import Glm4vMoeVisionModel
    from .processing.measure import Measure, MediumMeasure, measure
    from .processing.previews import MediumPreview, previews
    from .processing.processor import Processor
    from .progress import Progress
    from .prompting import ChatOptions
    from .replies import Reply

__version__ = "0.1.0"

_NAMES_BY_MODULE = {
    "answering": ("stream_generate",),
    "batch": ("BatchProgress", "generate_batch"),
    "chat": ("ChatSession",),
    "checkpoints": ("Checkpoint", "resolve"),
    "config": ("Glm4vMoeConfig", "Glm4vMoeTextConfig", "Glm4vMoeVisionConfig"),
    "conversion.pipeline": ("ConversionSummary", "convert"),
    "conversion.target": ("discard_conversion",),
    "errors": (
        "Cancelled",
        "CheckpointError",
        "ConversationInUse",
        "ConversionError",
        "DownloadError",
        "Glm45vError",
        "MediaError",
        "NotEnoughMemory",
        "PromptTooLong",
    ),
    "generation.events": (
        "Event",
        "Finished",
        "PrefillProgress",
        "TextDelta",
        "Usage",
    ),
    "generation.grounding": ("Box",),
    "generation.reuse": ("GenerationCache",),
    "generation.sampling": ("SamplingOptions",),
    "hub.inventory": ("CachedRepo", "cached_repos", "delete_repo"),
    "loading": ("load", "load_model"),
    "memory": (
        "Assessment",
        "Footprint",
        "Verdict",
        "assess_folder",
        "assess_size",
        "check_fits",
        "estimate_footprint",
        "verdicts",
    ),
    "messages": (
        "DocumentPart",
        "ImagePart",
        "Message",
        "TextPart",
        "ToolCall",
        "VideoPart",
    ),
    "model.decoder": ("Glm4vMoeTextModel",),
    "model.glm4v_moe": ("Glm4vMoeForConditionalGeneration", "Glm4vMoeModel"),
    "model.traffic": ("ExpertTraffic",),
    "model.vision": ("Glm4vMoeVisionModel",),
    "processing.measure": ("Measure", "MediumMeasure", "measure"),
    "processing.previews": ("MediumPreview", "previews"),
    "processing.processor": ("Processor",),
    "progress": ("Progress",),
    "prompting": ("ChatOptions",),
    "replies": ("Reply",),
}
_MODULES = {
    name: module for module, names in _NAMES_BY_MODULE.items() for name in names
}

__all__ = [
    "Assessment",
    "BatchProgress",
    "Box",
    "CachedRepo",
    "Cancelled",
    "ChatOptions",
    "ChatSession",
    "Checkpoint",
    "CheckpointError",
    "ConversationInUse",
    "ConversionError",
    "ConversionSummary",
    "DocumentPart",
    "DownloadError",
    "Event",
    "ExpertTraffic",
    "Finished",
    "Footprint",
    "GenerationCache",
    "Glm4vMoeConfig",
    "Glm4vMoeForConditionalGeneration",
    "Glm4vMoeModel",
    "Glm4vMoeTextConfig",
    "Glm4vMoeTextModel",
    "Glm4vMoeVisionConfig",
    "Glm4vMoeVisionModel",
    "Glm45vError",
    "ImagePart",
    "Measure",
    "MediaError",
    "MediumMeasure",
    "MediumPreview",
    "Message",
    "NotEnoughMemory",
    "PrefillProgress",
    "Processor",
    "Progress",
    "PromptTooLong",
    "Reply",
    "SamplingOptions",
    "TextDelta",
    "TextPart",
    "ToolCall",
    "Usage",
    "Verdict",
    "VideoPart",
    "assess_folder",
    "assess_size",
    "cached_repos",
    "check_fits",
    "convert",
    "delete_repo",
    "discard_conversion",
    "estimate_footprint",
    "generate_batch",
    "load",
    "load_model",
    "measure",
    "previews",
    "resolve",
    "stream_generate",
    "verdicts",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_MODULES[name]}", __name__)
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
