"""What the screenshots show: conversations, scenes, and the session that takes them."""
