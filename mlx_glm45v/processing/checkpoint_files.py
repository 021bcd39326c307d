"""What a checkpoint's folder says about processing, from old files and new ones.

Knows file names and token names. Does not know pixels or prompts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.processing.tokenizer import Tokenizer


@dataclass(frozen=True)
class MediaTokens:
    """Ids that mark media and thinking in a prompt; None where there is none."""

    image: int
    video: int
    begin_of_image: int
    end_of_image: int
    assistant: int
    begin_of_thinking: int | None
    end_of_thinking: int | None


def media_tokens(
    config: Mapping[str, Any], tokenizer: Tokenizer, folder: Path
) -> MediaTokens:
    """Ids as config.json says them, else by their names in the tokenizer.

    Raises:
        CheckpointError: a token that prompts need exists nowhere.
    """

    def named(token: str) -> int:
        found = tokenizer.id_of(token)
        if found is None:
            raise CheckpointError(
                f"{folder / 'tokenizer.json'} has no token {token}; it belongs to "
                "another model"
            )
        return found

    def configured(key: str, token: str) -> int:
        value = config.get(key)
        return value if isinstance(value, int) else named(token)

    return MediaTokens(
        image=configured("image_token_id", "<|image|>"),
        video=configured("video_token_id", "<|video|>"),
        begin_of_image=configured("image_start_token_id", "<|begin_of_image|>"),
        end_of_image=configured("image_end_token_id", "<|end_of_image|>"),
        assistant=named("<|assistant|>"),
        begin_of_thinking=tokenizer.id_of("<think>"),
        end_of_thinking=tokenizer.id_of("</think>"),
    )


def media_configs(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The picture processor's table and the video processor's.

    Raises:
        CheckpointError: a file is missing or cannot be read.
    """
    joint = folder / "processor_config.json"
    nested = read_json(joint) if joint.is_file() else {}
    images = nested.get("image_processor")
    if images is None:
        images = read_json(folder / "preprocessor_config.json")
    videos = nested.get("video_processor")
    own = folder / "video_preprocessor_config.json"
    if videos is None:
        # Older checkpoints have no table of their own: the class of the picture
        # processor tells the family, whose video rule applies.
        videos = read_json(own) if own.is_file() else _without_budget(images)
    return images, videos


def _without_budget(images: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in images.items() if key != "size"}


def read_json(path: Path) -> dict[str, Any]:
    """The table in a file.

    Raises:
        CheckpointError: it is missing, cannot be read, or holds no table.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is missing; fetch the checkpoint's files again"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); fetch it again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds no table; fetch it again")
    return value
