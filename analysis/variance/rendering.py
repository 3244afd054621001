"""The split of variance in a terminal: shares in per cent with intervals, and where each row comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.narrow_tables import show_table
from analysis.number_format import significant
from analysis.quantity import percent
from analysis.summaries import STATEMENT, scenario_words
from analysis.variance.parts import (
    CHANCE,
    INDIVIDUAL,
    MISSING_DATA,
    MODEL_FORM,
    OTHER_PARAMETERS,
    PARAMETERS,
    SHARED,
    Part,
)
from analysis.variance.sets import LOG10
from analysis.variance.split import EXACT
from simcore.cli.figures import figure, whole
from simcore.cli.terminal import heading, pairs, show

if TYPE_CHECKING:
    from analysis.variance.inner_size import Costs, InnerSize
    from analysis.variance.split import OutputSplit, VarianceSplit

TITLES = {
    PARAMETERS: "parameters",
    MODEL_FORM: "model form",
    MISSING_DATA: "missing data",
    OTHER_PARAMETERS: "other parameters",
    CHANCE: "chance",
    SHARED: "shared chance",
    INDIVIDUAL: "individual chance",
}
ORDER = (PARAMETERS, MODEL_FORM, MISSING_DATA, OTHER_PARAMETERS, CHANCE, SHARED, INDIVIDUAL)


def shown_parts(output: OutputSplit) -> tuple[str, ...]:
    """Return the parts that sum to one: the finest that are told apart."""
    there = output.parts.parts
    whole_of = {PARAMETERS: (MODEL_FORM, MISSING_DATA), CHANCE: (SHARED,)}
    return tuple(name for name in ORDER if name in there and not any(part in there for part in whole_of.get(name, ())))


def show_share(part: Part) -> str:
    """Return a share with its interval, all in per cent."""
    if math.isnan(part.share):
        return "-"
    interval = "-" if math.isnan(part.lower) else f"{_percent(part.lower)} to {_percent(part.upper)}"
    return f"{_percent(part.share)} ({interval})"


def _percent(share: float) -> str:
    value = 100.0 * max(share, 0.0)
    if 0.0 < value < 0.01:
        return "<0.01"
    return f"{value:.2f}" if value < 10.0 else f"{value:.1f}"


def output_name(output: OutputSplit) -> str:
    """Return an output as the tables and figures call it."""
    return f"log10 {output.name}" if output.scale == LOG10 else output.name


def print_split(split: VarianceSplit, sizes: Sequence[InnerSize] | None = None, costs: Costs | None = None) -> None:
    """Print a split, and the inner sizes of a nested run."""
    header = split.header
    heading(f"{scenario_words(header)}: where the variance comes from")
    outer, inner = header["nested"]
    show(
        pairs(
            {
                "counted as trafficked": " ".join(str(header.get("definition", "?")).split()),
                "file": f"{whole(outer)} parameter sets x {whole(inner)}, seed {header.get('seed', '?')}",
                "used": f"the first {whole(split.parameter_sets)} sets",
                "figures": f"share of the variance in %, in brackets its {percent(split.level)} % interval",
            }
        ),
        "",
    )
    names = list(dict.fromkeys(name for output in split.outputs for name in shown_parts(output)))
    names.sort(key=ORDER.index)
    columns = [*split.by, "output", "sd", *(TITLES[name] for name in names), "route"]
    rows = []
    for output in split.outputs:
        parts, there = output.parts.parts, shown_parts(output)
        shares = [show_share(parts[name]) if name in there else "" for name in names]
        spread = math.sqrt(max(output.parts.total, 0.0)) if not math.isnan(output.parts.total) else math.nan
        mark = "*" if output.first_order_is_poor else ""
        levels = [output.levels.get(axis, "") for axis in split.by]
        rows.append([*levels, output_name(output), figure(spread), *shares, output.route + mark])
    show_table(columns, rows, right=columns[len(split.by) + 1 : -1], keys=len(split.by) + 1)
    show("")
    _show_choices(split)
    if sizes is not None and costs is not None:
        _show_sizes(split, sizes, costs)
    show(*_notes(split), STATEMENT)


def _show_choices(split: VarianceSplit) -> None:
    if not split.choices:
        show("Model form: the scenario chooses between no models, so there is no share of it.", "")
        return
    names = [choice.name for choice in split.choices]
    has_panels = any(output.missing_information is not None for output in split.outputs)
    columns = ["output", *names, *(["missing information"] if has_panels else [])]
    rows = []
    for output in split.outputs:
        if output.levels:
            continue
        cells = [show_share(output.parts.choices[name]) for name in names]
        if has_panels:
            share = output.missing_information
            cells.append("-" if share is None else f"{significant(100.0 * share, 2)} %")
        rows.append([output_name(output), *cells])
    heading("What each choice explains by itself (% of the variance)")
    show_table(columns, rows, right=columns[1:], keys=1)
    show("")


def _show_sizes(split: VarianceSplit, sizes: Sequence[InnerSize], costs: Costs) -> None:
    outer, inner = split.header["nested"]
    heading("Replicates per parameter set that are best for a mean, at the cost of this run")
    columns = ["output", "best", "standard error now", "at best", "gain in variance"]
    rows: list[list[Any]] = []
    for output, size in zip(split.outputs, sizes, strict=True):
        if output.levels:
            continue
        gain = (size.present_error / size.best_error) ** 2 if size.best_error > 0.0 else math.nan
        errors = [figure(size.present_error), figure(size.best_error)]
        rows.append([output_name(output), f"{whole(size.outer)}x{whole(size.best)}", *errors, f"{figure(gain)} x"])
    show_table(columns, rows, right=columns[1:], keys=1)
    show(
        "",
        f"Measured here: a parameter set costs {figure(1e6 * costs.set)} microseconds, a replicate "
        f"{figure(1e6 * costs.replicate)}. Now: {whole(outer)}x{whole(inner)}.",
        "",
    )


def _notes(split: VarianceSplit) -> list[str]:
    notes = [
        "Parameters: what is not known. Shared chance: drawn once for a whole origin or the like. Individual chance: "
        "the rest, person by person.",
        f"Intervals: Poisson bootstrap over parameter sets, {whole(split.bootstraps)} replicates, seed "
        f"{split.bootstrap_seed}. On the natural scale of a count they rest on its largest values and are too short if "
        "these are few; on log10 they are not.",
    ]
    routes = {output.route for output in split.outputs}
    if EXACT in routes:
        notes.append(
            "exact: means and variances given the parameters in closed form. On log10, and of ratios, the individual "
            "chance is to first order."
        )
    if routes - {EXACT}:
        notes.append(
            "nested: parameters and chance from the replicates, counts as log10(Y + 0.5). The chance within a set is "
            "shared and individual together; where the route says so, the exact means tell them apart."
        )
    if any(output.first_order_is_poor for output in split.outputs):
        notes.append("*: in more than 1 % of the sets the mean count is below 10, and first order is poor there.")
    return notes
