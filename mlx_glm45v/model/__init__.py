"""From a `Prompt`'s arrays to logits: the vision tower and the MoE decoder in MLX."""
