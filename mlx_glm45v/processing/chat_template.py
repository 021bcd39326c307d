"""Messages to the text of a prompt, by the checkpoint's own chat template.

Knows the template language and the shape of the data that templates read. Does not know
token ids or pixels. Templates are downloaded text, so they run in jinja's sandbox.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mlx_glm45v.errors import CheckpointError
from mlx_glm45v.messages import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    VideoPart,
)

# Tokens that give a prompt its structure. A person who types one means the letters.
STRUCTURE_TOKENS = (
    "[gMASK]",
    "<sop>",
    "<|endoftext|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_image|>",
    "<|image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|video|>",
    "<|end_of_video|>",
)
# Two private-use characters fence what must reach the tokenizer as plain letters.
_OPEN, _CLOSE = "\ue000", "\ue001"
_STRUCTURE = re.compile("|".join(map(re.escape, (*STRUCTURE_TOKENS, _OPEN, _CLOSE))))
_FENCED = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_PROTECTED = (*STRUCTURE_TOKENS, _OPEN, _CLOSE)
_CONTINUE_HERE = f"{_OPEN}continue{_CLOSE}"


class ChatTemplate:
    """A compiled chat template.

    Raises:
        CheckpointError: the template has a syntax error.
    """

    def __init__(self, source: str) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols"],
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = datetime.now().strftime
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise CheckpointError(
                f"the checkpoint's chat template cannot be read: {error}"
            ) from error

    @classmethod
    def from_folder(cls, folder: Path) -> ChatTemplate:
        """Reads `chat_template.jinja`, `chat_template.json` or `tokenizer_config.json`.

        Raises:
            CheckpointError: none of them holds a template.
        """
        jinja = folder / "chat_template.jinja"
        if jinja.is_file():
            return cls(jinja.read_text(encoding="utf-8"))
        for name in ("chat_template.json", "tokenizer_config.json"):
            path = folder / name
            if path.is_file():
                template = json.loads(path.read_text(encoding="utf-8"))
                source = template.get("chat_template")
                if isinstance(source, str):
                    return cls(source)
        raise CheckpointError(
            f"{folder} has no chat template (chat_template.jinja); "
            "fetch the checkpoint's files again"
        )

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        thinking: bool | None = None,
        continue_final_message: bool = False,
    ) -> str:
        """The prompt's text, with one placeholder token for each picture and video.

        Structure tokens that stand in words, tool calls or tools are fenced: `unfence`
        splits them off again. `thinking=None` leaves the choice to the template.

        Raises:
            ValueError: `continue_final_message` without a final assistant message.
            CheckpointError: the template itself refuses the messages.
        """
        told = [_template_message(message) for message in messages]
        begun = ""
        if continue_final_message:
            begun = _mark_continuation(messages, told)
        variables: dict[str, Any] = {
            "messages": told,
            "tools": _fence(list(tools)) if tools else None,
            "add_generation_prompt": not continue_final_message,
        }
        if thinking is not None:
            variables["enable_thinking"] = thinking
        try:
            text = self._template.render(variables)
        except TemplateError as error:
            raise CheckpointError(
                f"the checkpoint's chat template refuses these messages: {error}"
            ) from error
        if not continue_final_message:
            return text
        head, marker, _ = text.rpartition(_CONTINUE_HERE)
        if not marker:
            raise CheckpointError(
                "the checkpoint's chat template drops the message to be continued; "
                "ask again without continue_final_message"
            )
        return head + begun


def unfence(text: str) -> list[tuple[str, bool]]:
    """Rendered text as (piece, is_literal) pairs; literal pieces are mere letters."""
    pieces = []
    end = 0
    for fenced in _FENCED.finditer(text):
        pieces.append((text[end : fenced.start()], False))
        pieces.append((_PROTECTED[int(fenced.group(1))], True))
        end = fenced.end()
    pieces.append((text[end:], False))
    return [piece for piece in pieces if piece[0]]


def _fence(value: Any) -> Any:
    """`value` with every structure token in its strings replaced by a fenced number."""
    if isinstance(value, str):
        return _STRUCTURE.sub(
            lambda found: f"{_OPEN}{_PROTECTED.index(found.group())}{_CLOSE}", value
        )
    if isinstance(value, Mapping):
        return {_fence(key): _fence(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fence(item) for item in value]
    return value


def _template_message(message: Message) -> dict[str, Any]:
    parts = [_template_part(part) for part in message.parts]
    told: dict[str, Any] = {"role": message.role}
    if message.role == "user" or any(part["type"] != "text" for part in parts):
        told["content"] = parts
    else:
        told["content"] = "".join(part["text"] for part in parts)
    if message.thinking is not None:
        told["reasoning_content"] = _fence(message.thinking)
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "type": "function",
                "function": _fence(
                    {"name": call.name, "arguments": dict(call.arguments)}
                ),
            }
            for call in message.tool_calls
        ]
    return told


def _template_part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": _fence(text)}
        case ImagePart():
            return {"type": "image"}
        case VideoPart():
            return {"type": "video"}
        case DocumentPart():
            raise ValueError("a document is a row of pictures by now")


def _mark_continuation(
    messages: Sequence[Message], told: Sequence[dict[str, Any]]
) -> str:
    """Marks where the last message breaks off; returns what was said there so far."""
    if not messages or messages[-1].role != "assistant":
        raise ValueError(
            "continue_final_message needs an assistant message at the end; "
            f"the last one is {messages[-1].role!r}"
            if messages
            else "continue_final_message needs an assistant message at the end"
        )
    last = messages[-1]
    if last.thinking and not last.text:
        told[-1]["reasoning_content"] = _CONTINUE_HERE
        return _fence(last.thinking)
    told[-1]["content"] = _CONTINUE_HERE
    return _fence(last.text)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # As transformers renders it: readable, and no HTML escapes.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateError(message)
