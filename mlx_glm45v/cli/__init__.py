"""What `python -m mlx_glm45v.generate` is made of: arguments, terminal, chat loop."""
