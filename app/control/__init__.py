"""Between the window and everything else: what a person wants becomes requests.

`talk` is the open conversation, with the `answer` under way and the `outbox` of what
waits; `draft` is what stands in the composer; `arrivals` brings files in; `region`
takes a picture of the screen; `pictures` finds what to show of attachments; `trouble`
says what the store refuses; `awake` keeps the machine from sleeping; `log` opens what
was logged. `presenters` connect all of these with the widgets, which know none of these
rooms, and `wiring` makes everything.
"""
