"""Widgets that show values and emit intents.

Nothing here knows the store, the model's process or the library: values come in through
methods, what a person wants goes out through signals, and `controller` connects them.
"""
