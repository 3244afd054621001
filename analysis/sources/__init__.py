"""Sources by stage: which open source informs which stage, for whom and when, and what a scenario takes from it.

`coverage` counts, `showing` prints, `command_line` holds the verb `simcore sources`.
"""
