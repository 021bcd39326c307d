"""Experts that stay in the checkpoint's files and are read when they are chosen.

`slots` decides who is in memory, `files` reads, `bank` is one layer's memory, `store`
owns them all, `budget` cuts the bytes into slots, `profile` remembers what was used.
"""
