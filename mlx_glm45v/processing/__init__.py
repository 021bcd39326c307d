"""From messages to a `Prompt`: patches, template, token ids, positions. No mlx here."""
