"""Child processes that speak JSON lines: Qt's side (`link`) and theirs (`child`)."""
