"""The inside of a `<tool_call>` element, read into a `ToolCall`.

Knows GLM's notation: the function's name, then pairs of `<arg_key>` and `<arg_value>`.
Does not know how the element was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlx_glm45v.messages import ToolCall

_ARGUMENT = re.compile(
    r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|\Z)", re.DOTALL
)


def parse_tool_call(
    text: str, tools: Sequence[Mapping[str, Any]] | None = None
) -> ToolCall:
    """Name and arguments of one call.

    A value whose JSON schema in `tools` says "string" stays as it is written; any other
    is read as JSON where it is JSON, and stays text where it is not.
    """
    name = text.partition("<arg_key>")[0].strip()
    properties = _properties(name, tools or ())
    arguments = {
        key.strip(): _value(value, properties.get(key.strip()))
        for key, value in _ARGUMENT.findall(text)
    }
    return ToolCall(name, arguments)


def _properties(name: str, tools: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    for tool in tools:
        function = tool.get("function", tool)
        if function.get("name") == name:
            return function.get("parameters", {}).get("properties", {})
    return {}


def _value(text: str, schema: Mapping[str, Any] | None) -> Any:
    if schema is not None and schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
