"""Child processes that speak JSON lines: `link` is the window's end, `child` theirs."""
