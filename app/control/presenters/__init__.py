"""A presenter stands between one part of the window and the rooms behind it.

It listens to both and keeps only what neither of them can know. Presenters do not know
one another: what one does, another sees in the signals of their common `Parts`.
"""
