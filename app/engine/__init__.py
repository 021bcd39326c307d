"""The model in a process of its own.

`client` is the window's end, `process` the child's; `protocol` holds what they say.
"""
