"""The three ways of taking bound victims to their outcomes, as arguments of `simcore.run`."""

from __future__ import annotations

WAYS: dict[str, dict[str, str]] = {
    "collapsed": {"walker": "collapsed"},
    "leg-by-leg": {"walker": "leg-by-leg"},
    "cohort": {"engine": "cohort"},
}
WALKERS = ("collapsed", "leg-by-leg")
