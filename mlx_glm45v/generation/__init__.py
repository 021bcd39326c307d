"""From a `Prompt` to events: prefill, decoding, sampling, splitting of channels."""
