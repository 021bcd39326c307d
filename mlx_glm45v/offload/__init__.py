"""Experts that stay in the checkpoint's files and are read when they are chosen.

`slots` decides who is in memory, `files` reads, `bank` is one layer's memory, `store`
owns them all, `profile` remembers what was used, `install` puts them into a model. How
many bytes become how many slots is `memory.experts`.
"""
