"""Analysis of simcore results: what the counts of a results file say, with intervals and Monte Carlo errors.

>>> import simcore, analysis
>>> summary = analysis.summarize(simcore.open_results("out.h5"))  # doctest: +SKIP
>>> summary["arrived"].median  # doctest: +SKIP

Imports `simcore`, and is never imported by it but through entry points.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.figures import funnel, save_funnel
    from analysis.quantity import Estimate, Interval, Quantity
    from analysis.summaries import Summary, summarize
    from analysis.tables import print_summary, render_summary

# Public names and where they live; imported when first used, so that verbs that draw nothing do not load matplotlib.
_LAZY = {
    "Estimate": "analysis.quantity",
    "Interval": "analysis.quantity",
    "Quantity": "analysis.quantity",
    "Summary": "analysis.summaries",
    "funnel": "analysis.figures",
    "print_summary": "analysis.tables",
    "render_summary": "analysis.tables",
    "save_funnel": "analysis.figures",
    "summarize": "analysis.summaries",
}

__all__ = [
    "Estimate",
    "Interval",
    "Quantity",
    "Summary",
    "funnel",
    "print_summary",
    "render_summary",
    "save_funnel",
    "summarize",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'analysis' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
