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
    from analysis.cohorts.comparison import Comparison, compare_cohorts
    from analysis.cohorts.study import Study, read_study
    from analysis.contrasts import Contrast, contrast
    from analysis.convergence import Convergence, follow_convergence
    from analysis.difference.attribution import Attribution, attribute
    from analysis.difference.changes import Change, list_changes
    from analysis.exporting.export import Export, export
    from analysis.figures import funnel, save_funnel
    from analysis.quantity import Estimate, Interval, Quantity
    from analysis.randomisations import DesignError, design_error
    from analysis.reweighting.weighted import summarize_weighted
    from analysis.reweighting.weights import Weights, reweight
    from analysis.summaries import Summary, summarize
    from analysis.tables import print_summary, render_summary
    from analysis.variance.figure import variance_bars
    from analysis.variance.split import VarianceSplit, split_variance

# Public names and where they live; imported when first used, so that verbs that draw nothing do not load matplotlib.
_LAZY = {
    "Attribution": "analysis.difference.attribution",
    "Change": "analysis.difference.changes",
    "Comparison": "analysis.cohorts.comparison",
    "DesignError": "analysis.randomisations",
    "Contrast": "analysis.contrasts",
    "Convergence": "analysis.convergence",
    "Estimate": "analysis.quantity",
    "Export": "analysis.exporting.export",
    "Interval": "analysis.quantity",
    "Quantity": "analysis.quantity",
    "Study": "analysis.cohorts.study",
    "Summary": "analysis.summaries",
    "VarianceSplit": "analysis.variance.split",
    "Weights": "analysis.reweighting.weights",
    "attribute": "analysis.difference.attribution",
    "compare_cohorts": "analysis.cohorts.comparison",
    "design_error": "analysis.randomisations",
    "contrast": "analysis.contrasts",
    "export": "analysis.exporting.export",
    "follow_convergence": "analysis.convergence",
    "funnel": "analysis.figures",
    "list_changes": "analysis.difference.changes",
    "print_summary": "analysis.tables",
    "read_study": "analysis.cohorts.study",
    "render_summary": "analysis.tables",
    "reweight": "analysis.reweighting.weights",
    "save_funnel": "analysis.figures",
    "summarize": "analysis.summaries",
    "split_variance": "analysis.variance.split",
    "summarize_weighted": "analysis.reweighting.weighted",
    "variance_bars": "analysis.variance.figure",
}

__all__ = [
    "Attribution",
    "Change",
    "Comparison",
    "Contrast",
    "Convergence",
    "DesignError",
    "Estimate",
    "Export",
    "Interval",
    "Quantity",
    "Study",
    "Summary",
    "VarianceSplit",
    "Weights",
    "attribute",
    "compare_cohorts",
    "contrast",
    "design_error",
    "export",
    "follow_convergence",
    "funnel",
    "list_changes",
    "print_summary",
    "read_study",
    "render_summary",
    "reweight",
    "save_funnel",
    "split_variance",
    "summarize",
    "summarize_weighted",
    "variance_bars",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'analysis' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
