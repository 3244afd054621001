"""The command line: verbs, what they print, and exit codes.

Nothing heavy is imported before a verb is typed: `simcore --help` must answer at once. Data goes to stdout, talk to
stderr; exit codes are 0 done, 1 failed while running or a check failed, 2 bad input, 130 interrupted.

* `program`: the verbs together, errors -> one line and an exit code. `elsewhere`: verbs of other packages.
* `arguments`: what is typed -> values. `terminal`, `figures`: values -> tables, JSON and short numbers.
* `listing`, `showing`, `checking`, `running`, `describing`, `expecting`, `verifying`, `warming`: a verb each.
* `forecast`, `progress`, `interruption`: what `run` needs besides.
"""

from simcore.cli.program import main

__all__ = ["main"]
