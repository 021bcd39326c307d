"""Events on a terminal: the answer on standard output, all else on standard error.

Knows streams and colours. Does not know models, files or arguments.
"""

from __future__ import annotations

import sys
from typing import TextIO

from mlx_glm45v.generation.events import (
    Event,
    Finished,
    PrefillProgress,
    TextDelta,
    Usage,
)
from mlx_glm45v.progress import Progress

_DIM, _PLAIN, _CLEAR_LINE = "\x1b[2m", "\x1b[0m", "\r\x1b[K"
_STAGES = {
    "media": "reading files",
    "vision": "looking",
    "prompt": "reading the prompt",
}
# A model's words must not steer the terminal they are shown on.
_CONTROLS = dict.fromkeys([*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)])


class Terminal:
    """Shows one answer after another.

    Progress lines and dimming appear only where standard error is a terminal.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        *,
        show_answer: bool = True,
    ) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._lively = self._err.isatty()
        self._show_answer = show_answer
        self._has_progress = False
        self._channel: str | None = None

    @property
    def lively(self) -> bool:
        """Whether somebody watches the progress."""
        return self._lively

    def note(self, text: str) -> None:
        """One line beside the answer."""
        self._clear_progress()
        print(text, file=self._err, flush=True)

    def loading(self, progress: Progress) -> None:
        """How far a download or a load has come."""
        what = "fetching" if progress.stage == "download" else "loading"
        self.progress(
            f"{what} {progress.done / 1e9:,.2f} of {progress.total / 1e9:,.2f} GB"
        )

    def show(self, event: Event) -> None:
        """One event of an answer."""
        match event:
            case PrefillProgress(stage, done, total):
                self.progress(f"{_STAGES[stage]} {done:,} of {total:,}")
            case TextDelta():
                self._text(event)
            case Finished(reason, usage):
                self._end()
                if usage.thinking_closed_by == "repetition":
                    self.note("(thinking repeated itself and was closed)")
                if reason == "length":
                    self.note("(cut: the limit of tokens or the context is reached)")
                elif reason == "repetition":
                    self.note("(ended: the answer repeated itself)")
                elif reason == "cancelled":
                    self.note("(stopped)")

    def stats(self, usage: Usage) -> None:
        """What an answer took, as a few lines."""
        media = []
        if usage.image_tokens:
            media.append(f"{usage.image_tokens:,} of pictures")
        if usage.video_tokens:
            media.append(f"{usage.video_tokens:,} of video")
        if usage.cached_tokens:
            media.append(f"{usage.cached_tokens:,} cached")
        inside = f" ({', '.join(media)})" if media else ""
        thought = (
            f" ({usage.thinking_tokens:,} of thinking)" if usage.thinking_tokens else ""
        )
        self.note(
            f"prompt     {usage.prompt_tokens:,} tokens{inside}\n"
            f"generated  {usage.generated_tokens:,} tokens{thought}, "
            f"{usage.tokens_per_second:.1f} tokens/s\n"
            f"seconds    files {usage.media_seconds:.2f}, "
            f"vision {usage.vision_seconds:.2f}, "
            f"prompt {usage.prefill_seconds:.2f}, "
            f"decoding {usage.decode_seconds:.2f}, "
            f"first token after {usage.time_to_first_token:.2f}\n"
            f"memory     {usage.peak_memory / 1e9:.2f} GB at the peak"
        )
        if usage.resident_experts is not None:
            self.note(_experts(usage))

    def _text(self, delta: TextDelta) -> None:
        self._clear_progress()
        if delta.channel != self._channel:
            self._end()
            self._channel = delta.channel
            if self._lively and delta.channel == "thinking":
                self._err.write(_DIM)
        if delta.channel == "thinking":
            _write(self._err, delta.text)
        elif self._show_answer:
            _write(self._out, delta.text)

    def _end(self) -> None:
        """Closes the line and the colour of what was shown last."""
        self._clear_progress()
        if self._channel == "thinking":
            self._err.write(f"{_PLAIN}\n" if self._lively else "\n")
            self._err.flush()
        elif self._channel is not None and self._show_answer:
            self._out.write("\n")
            self._out.flush()
        self._channel = None

    def progress(self, text: str) -> None:
        """A line that the next one takes the place of; on a terminal only."""
        if self._lively:
            self._err.write(_CLEAR_LINE + text)
            self._err.flush()
            self._has_progress = True

    def _clear_progress(self) -> None:
        if self._has_progress:
            self._err.write(_CLEAR_LINE)
            self._err.flush()
            self._has_progress = False


def _experts(usage: Usage) -> str:
    from mlx_glm45v.memory.sizes import gigabytes

    said = [f"experts    {usage.resident_experts:.0%} have room in memory"]
    if (prompt := usage.prompt_experts) is not None and prompt.chosen:
        said.append(f"for the prompt {gigabytes(prompt.bytes_read)} were read")
    if (answer := usage.answer_experts) is not None and answer.chosen:
        said.append(
            f"{answer.hit_rate:.0%} of those chosen for the answer were there, "
            f"{gigabytes(round(usage.expert_bytes_per_token))} a token were read at "
            f"{answer.bandwidth / 1e9:.1f} GB/s"
        )
    return "; ".join(said)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text.translate(_CONTROLS) if stream.isatty() else text)
    stream.flush()
