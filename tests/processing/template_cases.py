"""What GLM-4.5V's chat template makes of a conversation, restated as values."""

from mlx_glm45v.messages import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    VideoPart,
)

IMAGE = "<|begin_of_image|><|image|><|end_of_image|>"
VIDEO = "<|begin_of_video|><|video|><|end_of_video|>"
NO_THOUGHT = "<think></think>\n"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "w",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
WEATHER_JSON = (
    '{"type": "function", "function": {"name": "get_weather", "description": "w", '
    '"parameters": {"type": "object", "properties": {"city": {"type": "string"}, '
    '"days": {"type": "integer"}}, "required": ["city"]}}}'
)
TOOLS_HEADER = (
    "<|system|>\n# Tools\n\nYou may call one or more functions to assist with the user "
    "query.\n\nYou are provided with function signatures within <tools></tools> XML "
    f"tags:\n<tools>\n{WEATHER_JSON}\n</tools>\n\nFor each function call, output the "
    "function name and arguments within the following XML format:\n"
    "<tool_call>{function-name}\n<arg_key>{arg-key-1}</arg_key>\n"
    "<arg_value>{arg-value-1}</arg_value>\n<arg_key>{arg-key-2}</arg_key>\n"
    "<arg_value>{arg-value-2}</arg_value>\n...\n</tool_call>"
)


def user(*parts):
    return Message("user", [TextPart(p) if isinstance(p, str) else p for p in parts])


PICTURE, CLIP = ImagePart("a.png"), VideoPart("a.mp4")

# name -> messages, thinking, tools, the prompt after "[gMASK]<sop>"
CASES = {
    "thinking left to the model": (
        [user("Hi")],
        None,
        None,
        "<|user|>\nHi<|assistant|>\n",
    ),
    "thinking on says the same as unset": (
        [user("Hi")],
        True,
        None,
        "<|user|>\nHi<|assistant|>\n",
    ),
    "a picture, then words": (
        [user(PICTURE, "Describe this image.")],
        None,
        None,
        f"<|user|>\n{IMAGE}Describe this image.<|assistant|>\n",
    ),
    "a picture, thinking off": (
        [user(PICTURE, "Describe this image.")],
        False,
        None,
        f"<|user|>\n{IMAGE}Describe this image./nothink<|assistant|>\n{NO_THOUGHT}",
    ),
    "words, pictures and a video keep their places": (
        [user("A", PICTURE, "B", PICTURE, CLIP, "C")],
        None,
        None,
        f"<|user|>\nA{IMAGE}B{IMAGE}{VIDEO}C<|assistant|>\n",
    ),
    "a system message; past thinking is dropped": (
        [
            Message("system", "Be brief."),
            user("Q1"),
            Message("assistant", "A1", thinking="secret"),
            user("Q2"),
        ],
        None,
        None,
        f"<|system|>\nBe brief.<|user|>\nQ1<|assistant|>\n{NO_THOUGHT}A1"
        "<|user|>\nQ2<|assistant|>\n",
    ),
    "thinking off marks every user turn": (
        [user("Q1"), Message("assistant", "A1"), user("Q2")],
        False,
        None,
        f"<|user|>\nQ1/nothink<|assistant|>\n{NO_THOUGHT}A1"
        f"<|user|>\nQ2/nothink<|assistant|>\n{NO_THOUGHT}",
    ),
    "tool calls and results; thinking kept after the last user turn": (
        [
            user("Weather?"),
            Message(
                "assistant",
                "Let me check.",
                thinking="need tool",
                tool_calls=[
                    ToolCall("get_weather", {"city": "Paris", "days": 2}),
                    ToolCall("get_weather", {"city": "Rome"}),
                ],
            ),
            Message("tool", '{"t":20}'),
            Message("tool", '{"t":25}'),
        ],
        None,
        [WEATHER],
        f"{TOOLS_HEADER}<|user|>\nWeather?<|assistant|>\n"
        "<think>need tool</think>\nLet me check.\n"
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n"
        "<arg_value>Paris</arg_value>\n<arg_key>days</arg_key>\n"
        "<arg_value>2</arg_value>\n</tool_call>\n"
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n"
        "<arg_value>Rome</arg_value>\n</tool_call><|observation|>\n"
        '<tool_response>\n{"t":20}\n</tool_response>\n'
        '<tool_response>\n{"t":25}\n</tool_response><|assistant|>\n',
    ),
}
