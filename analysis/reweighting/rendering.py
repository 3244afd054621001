"""Before and after re-weighting as tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from analysis.difference.rendering import distribution_text
from analysis.number_format import HIDDEN, is_small, show_error, show_estimate, show_interval
from analysis.quantity import Quantity, percent
from analysis.summaries import STATEMENT, Summary, scenario_words
from simcore.cli.figures import figure, whole
from simcore.cli.terminal import heading, show, table

if TYPE_CHECKING:
    from rich.table import Table

    from analysis.reweighting.weights import Weights

_BRIEFLY = ("trafficked", "bound", "arrived", "arrival_fraction")


def show_reweighted(weights: Weights, before: Summary, after: Summary, *, exact: bool = False) -> None:
    """Print what changed, how far the stored sets carry, and the funnel before and after."""
    header = before.header
    heading(f"{scenario_words(header)}, re-weighted without a new run")
    show(f"Counted as trafficked: {' '.join(str(header.get('definition', '?')).split())}", STATEMENT, "")
    if weights.changed:
        rows = [[c["name"], distribution_text(c["before"]), distribution_text(c["after"])] for c in weights.changed]
        show(table(["parameter", "stored", "re-weighted to"], rows))
    else:
        show("No distribution that is drawn changes: all weights are equal.")
    show("", *reliability(weights))
    for title, names in (("Headline", _BRIEFLY), ("All stages", None)):
        heading(title)
        show(_table(before, after, names, exact=exact))
    show("", *notes(before, after, exact=exact))


def reliability(weights: Weights) -> Iterator[str]:
    """Yield how far the weights can be trusted."""
    yield (
        f"Effective sample size: {whole(round(weights.effective))} of {whole(weights.sets)} parameter sets "
        f"({figure(100.0 * weights.effective / weights.sets)} %)."
    )
    if math.isnan(weights.k_hat):
        yield "Pareto k-hat: none, the largest weights do not differ enough for a fit."
    else:
        yield f"Pareto k-hat: {weights.k_hat:.2f} (estimates are reliable below {weights.k_limit:.2f})."
    if weights.changed:
        ratio = weights.mean_ratio
        yield (
            f"Mean of the weights before they are normalised: {figure(ratio.estimate)}, MCSE {figure(ratio.mcse, 2)} "
            "(1 but for chance)."
        )
    if weights.warning:
        yield f"Warning: {weights.warning}."


def _table(before: Summary, after: Summary, names: tuple[str, ...] | None, *, exact: bool) -> Table:
    columns = ["median", "MCSE", "mean", "MCSE of mean", *(f"{percent(level)} % interval" for level in before.levels)]
    rows = []
    for one, other in zip(before.quantities, after.quantities, strict=True):
        if names is None or one.name in names:
            rows.append([one.label, "stored", *_cells(one, exact=exact)])
            rows.append(["", "re-weighted", *_cells(other, exact=exact)])
    return table(["", "", *columns], rows, right=columns)


def _cells(quantity: Quantity, *, exact: bool) -> list[str]:
    kind = quantity.kind
    return [
        show_estimate(quantity.median, kind, exact=exact),
        show_error(quantity.median, kind, exact=exact),
        show_estimate(quantity.mean, kind, exact=exact),
        show_error(quantity.mean, kind, exact=exact),
        *(show_interval(interval, kind, exact=exact) for interval in quantity.intervals),
    ]


def notes(before: Summary, after: Summary, *, exact: bool = False) -> Iterator[str]:
    """Yield the sentences below the tables."""
    yield (
        "Intervals are from parameters and chance. MCSE: Monte Carlo standard error; re-weighted, it is that of the "
        "weighted sets."
    )
    figures = [
        (each.estimate, quantity.kind)
        for summary in (before, after)
        for quantity in summary.quantities
        for each in (quantity.median, quantity.mean, *(e for i in quantity.intervals for e in (i.lower, i.upper)))
    ]
    if not exact and any(is_small(value, kind) for value, kind in figures):
        yield f"{HIDDEN}: figures from 1 to 9 are not shown (--exact shows them)."
