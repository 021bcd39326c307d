"""What stands in the store before the app starts: past conversations, as values.

Their answers are written by hand, since no demo writes tables. Nothing is shown that
the app could not show of a real model's answer.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from PIL import Image, ImageDraw

from app.conversation import Attachment, Box, Stats
from app.store import Store

BOXES = "Where the shapes stand"
LONG = (
    "Compare the circle with the square and the star, say which of them is the widest, "
    "and explain how Donaudampfschifffahrtsgesellschaftskapitaensmuetze is spelled"
)
_EARLIER = (
    # title, days ago, question, answer
    ("Robot clip", 1, "What does the robot pick up?", "It picks up the green cube."),
    ("Receipt in Portuguese", 1, "What is the total?", "The total is **EUR 42.10**."),
    ("Bar chart of rainfall", 3, "Which month is wettest?", "November, with 131 mm."),
    ("Wiring diagram", 5, "Where does the red wire go?", "To terminal 4."),
    (
        "Menu in two languages",
        9,
        "Which dishes have nuts?",
        "Two of them do.",
    ),
    ("Floor plan", 24, "How many doors are there?", "There are seven doors."),
    ("Shapes on a map", 40, "Are there round shapes?", "Yes, three shapes are round."),
)
_ANSWER = """The three shapes stand next to one another: a red circle, a blue square \
and a yellow star.

| shape | centre | width | height |
|---|---:|---:|---:|
| red circle | 92, 128 | 117 | 117 |
| blue square | 226, 226 | 106 | 106 |
| yellow star | 360, 112 | 127 | 125 |

A circle of this width covers $A = \\pi r^2 \\approx 10{,}751$ pixels, so its share is

$$\\frac{\\pi \\cdot 58.5^2}{448 \\cdot 336} \\approx 7.1\\,\\%$$

The same in Python:

```python
from math import pi

def share(width: int, picture: tuple[int, int] = (448, 336)) -> float:
    \"\"\"How much of the picture a circle covers.\"\"\"
    return pi * (width / 2) ** 2 / (picture[0] * picture[1])
```
"""
_SHAPES = {
    "red circle": (34, 70, 151, 187),
    "blue square": (173, 173, 279, 279),
    "yellow star": (296, 49, 423, 174),
}
_DAY = 86_400.0


def fill(folder: Path, picture: Path) -> None:
    """Write the conversations into an empty data folder."""
    store = Store(folder)
    ages: dict[int, float] = {}
    for title, days, question, answer in reversed(_EARLIER):
        number = _talk(store, title, question, answer)
        ages[number] = days * _DAY
    shown = store.media.attach(picture)
    shown = Attachment(shown.digest, shown.name, shown.kind, tokens=20)
    _talk(store, LONG, LONG + "?", "The star is the widest.", (shown,))
    _with_boxes(store, shown)
    store.close()
    _date_back(folder, ages)


def example_pdf(path: Path, pages: int = 2) -> Path:
    """A document of a few pages."""
    sheets = []
    for number in range(1, pages + 1):
        page = Image.new("RGB", (595, 842), "white")
        draw = ImageDraw.Draw(page)
        draw.text((64, 64), f"Rainfall by month, page {number}", "black", font_size=28)
        for bar, height in enumerate((120, 210, 90, 260, 180, 310)):
            left = 72 + bar * 76
            draw.rectangle((left, 520 - height, left + 48, 520), fill="#3B6EA8")
        for line in range(9):
            draw.rectangle((64, 580 + line * 24, 530 - line % 3 * 60, 588 + line * 24))
        sheets.append(page)
    sheets[0].save(path, save_all=True, append_images=sheets[1:])
    return path


def torn_picture(path: Path, picture: Path) -> Path:
    """A file that begins like a picture and ends too early."""
    path.write_bytes(picture.read_bytes()[:700])
    return path


def _talk(
    store: Store,
    title: str,
    question: str,
    answer: str,
    media: tuple[Attachment, ...] = (),
) -> int:
    number = store.create_conversation().id
    asked = store.add_question(number, None, question, media)
    said = store.add_answer(number, asked.id, "GLM-4.5V demo")
    store.append(said.id, "text", answer)
    store.finish(said.id, "complete")
    store.rename(number, title)
    return number


def _with_boxes(store: Store, shown: Attachment) -> None:
    number = store.create_conversation().id
    asked = store.add_question(number, None, "Where are the shapes?", (shown,))
    said = store.add_answer(number, asked.id, "GLM-4.5V demo")
    store.append(said.id, "thinking", "Three shapes. I measure each of them.")
    store.append(said.id, "text", _ANSWER)
    boxes = tuple(
        Box(
            label,
            shown.digest,
            None,
            *corners,
            width=448,
            height=336,
            start=_ANSWER.index(label),
            stop=_ANSWER.index(label) + len(label),
        )
        for label, corners in _SHAPES.items()
    )
    stats = Stats(
        prompt_tokens=54,
        image_tokens=20,
        generated_tokens=388,
        thinking_tokens=12,
        tokens_per_second=43.0,
        time_to_first_token=1.2,
    )
    store.finish(said.id, "complete", stats=stats, boxes=boxes, thinking_seconds=15.0)
    store.rename(number, BOXES)


def _date_back(folder: Path, ages: dict[int, float]) -> None:
    """Make conversations older, which the app itself has no use for."""
    (database,) = folder.glob("*.db")
    connection = sqlite3.connect(database)
    with connection:
        for number, age in ages.items():
            connection.execute(
                "UPDATE conversations SET updated = ? WHERE id = ?",
                (time.time() - age, number),
            )
    connection.close()
