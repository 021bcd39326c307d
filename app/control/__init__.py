"""Between the window and everything else: what a person wants becomes requests.

`talk` asks the model and keeps what it says, `draft` is what stands in the composer,
`arrivals` brings files in, `pictures` finds what to show of them, and `wiring` connects
all of it with the widgets, which know none of these rooms.
"""
