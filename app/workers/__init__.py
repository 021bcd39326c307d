"""Work that takes long and needs no model: media, downloads, conversions, the list.

Each kind runs in a child process (`process`); `media`, `transfers` and `catalogue` are
the Qt sides that own them. `values` travel between.
"""
