import pytest

from mlx_glm45v.messages import ToolCall
from mlx_glm45v.tool_calls import parse_tool_call

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "parameters": {"properties": {"code": {"type": "string"}}},
        },
    }
]


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("now", ToolCall("now", {})),
        (
            "find\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>",
            ToolCall("find", {"days": 2}),
        ),
        (
            "find\n<arg_key>code</arg_key>\n<arg_value>007</arg_value>\n",
            ToolCall("find", {"code": "007"}),
        ),
        (
            "find<arg_key>a</arg_key><arg_value>x < y\nz</arg_value>"
            '<arg_key>b</arg_key><arg_value>{"c": [1]}</arg_value>',
            ToolCall("find", {"a": "x < y\nz", "b": {"c": [1]}}),
        ),
        (
            "find\n<arg_key>a</arg_key>\n<arg_value>cut sh",
            ToolCall("find", {"a": "cut sh"}),
        ),
        ("", ToolCall("", {})),
    ],
    ids=["no arguments", "JSON", "schema says string", "several", "cut", "empty"],
)
def test_calls_are_read(text, call):
    assert parse_tool_call(text, TOOLS) == call
