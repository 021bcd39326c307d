"""What the model's parameters are, and how they may be stored: tables and arithmetic.

`kinds` says what each module is for, `shapes` how large it is, `recipes` how many bits
it gets. Nothing here opens a file or knows mlx: the converter and the memory planner
both build on it.
"""
