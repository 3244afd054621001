"""Cohorts side by side as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.cohorts.comparison import ONLY_POPULATION, Column, Comparison, Step
from analysis.narrow_tables import show_table
from analysis.number_format import HIDDEN, is_small, show_error, show_estimate, show_interval
from analysis.quantity import Estimate, percent
from analysis.summaries import STATEMENT
from simcore.cli.figures import figure, whole
from simcore.cli.terminal import heading, show


def show_comparison(comparison: Comparison, *, exact: bool = False) -> None:
    """Print a block per quantity with a line per cohort, then the differences."""
    columns = comparison.columns
    replicates = {column.summary.header["replicates"] for column in columns}
    counted = (
        f"{whole(replicates.pop())} replicates each" if len(replicates) == 1 else "different numbers of replicates"
    )
    heading(f"{len(columns)} cohorts, seed {comparison.seed}, {counted}")
    show(_definitions(columns), STATEMENT, *([ONLY_POPULATION] if comparison.only_population else []))
    levels = columns[0].summary.levels
    names = ["median", "MCSE", "mean", "MCSE of mean", *(f"{percent(level)} % interval" for level in levels)]
    for quantity in columns[0].summary.quantities:
        heading(quantity.label)
        rows = []
        for column in columns:
            own = column.summary[quantity.name]
            kind = own.kind
            rows.append(
                [
                    str(column.cohort_year),
                    column.name,
                    show_estimate(own.median, kind, exact=exact),
                    show_error(own.median, kind, exact=exact),
                    show_estimate(own.mean, kind, exact=exact),
                    show_error(own.mean, kind, exact=exact),
                    *(show_interval(interval, kind, exact=exact) for interval in own.intervals),
                ]
            )
        show_table(["cohort", "member", *names], rows, right=names, keys=2)
    if comparison.steps:
        _show_steps(comparison.steps)
    show("", *notes(comparison, exact=exact))


def _definitions(columns: Sequence[Column]) -> str:
    found = {" ".join(str(column.summary.header.get("definition", "?")).split()) for column in columns}
    if len(found) > 1:
        return "The members count different things: their definitions differ."
    return f"Counted as trafficked: {found.pop()}"


def _show_steps(steps: Sequence[Step]) -> None:
    heading("From each cohort to the next")
    names = ["mean difference", "MCSE", "median", "MCSE ", "90 % interval", "median ratio", "MCSE  ", "90 % of ratios"]
    rows = []
    for step in steps:
        rows.append(
            [
                f"{step.earlier} -> {step.later}",
                step.label,
                *_signed(step.mean),
                *_signed(step.median),
                "-" if step.interval is None else " to ".join(figure(end) for end in step.interval),
                *(["-", "-"] if step.ratio is None else [figure(step.ratio.estimate), figure(step.ratio.mcse, 2)]),
                "-" if step.ratio_interval is None else " to ".join(figure(end) for end in step.ratio_interval),
                "paired" if step.paired else "unpaired",
            ]
        )
    show_table(["", "quantity", *names, ""], rows, right=names, keys=2)


def _signed(estimate: Estimate) -> list[str]:
    sign = "+" if estimate.estimate > 0.0 else ""
    return [f"{sign}{figure(estimate.estimate)}", figure(estimate.mcse, 2)]


def notes(comparison: Comparison, *, exact: bool = False) -> Iterator[str]:
    """Yield the sentences below the tables."""
    yield (
        "MCSE: Monte Carlo standard error, from the finite number of replicates. Intervals are from parameters and "
        "chance."
    )
    paired = [step for step in comparison.steps if step.paired]
    if paired:
        best = min(step.variance_ratio for step in paired)
        worst = max(step.variance_ratio for step in paired)
        yield (
            "Paired: differences are taken replicate by replicate, on the same random numbers; their variance is "
            f"{figure(best, 2)} to {figure(worst, 2)} of what independent runs would give."
        )
    for reason in dict.fromkeys(step.reason for step in comparison.steps if step.reason):
        yield (
            f"Unpaired ({reason}): differences of means and of medians, with the errors of both; 'median' is not the "
            "median of differences there."
        )
    if comparison.unfinished:
        number = len(comparison.unfinished)
        yield (
            f"Not finished yet: {', '.join(comparison.unfinished)} ({number} of {number + len(comparison.columns)} "
            "members); the command that began the study goes on."
        )
    small = any(
        is_small(value.estimate, quantity.kind)
        for column in comparison.columns
        for quantity in column.summary.quantities
        for value in (quantity.median, *(end for i in quantity.intervals for end in (i.lower, i.upper)))
    )
    if small and not exact:
        yield f"{HIDDEN}: figures from 1 to 9 are not shown (--exact shows them)."
