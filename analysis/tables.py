"""The funnel in a terminal: plain text of at most 100 columns, with everything that is needed to read it rightly.

Labels and titles come from scenarios: they are put in as text, never as markup, and what a terminal would act on is
made visible.
"""

from __future__ import annotations

import io
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.number_format import HIDDEN, MISSING, is_small, share, show_error, show_estimate, show_interval
from analysis.quantity import Quantity, percent
from analysis.summaries import STATEMENT, scenario_words
from simcore.cli.terminal import visible

if TYPE_CHECKING:
    from analysis.summaries import Summary

WIDTH = 100
"""Columns of the printed funnel, at most; a narrower terminal gets what it has, down to ``_NARROWEST``."""

_NARROWEST = 72
HEADLINE = ("trafficked", "bound", "arrived", "arrival_fraction")

_SECTIONS = {
    "source": "Source zone",
    "destination": "Not bound for the border",
    "journey": "Journey (ever at a point)",
    "outcome": "End of the journey",
    "ratio": "Ratios",
}
_MOST_NAMED = 4


def print_summary(summary: Summary, *, exact: bool = False, file: IO[str] | None = None) -> None:
    """Print a summary; styles only if the output is a terminal.

    Parameters
    ----------
    summary : Summary
    exact : bool
        Show figures below 10.
    file : text stream, optional
        Standard output by default.
    """
    target = sys.stdout if file is None else file
    terminal = Console(file=target)
    if terminal.is_terminal:
        terminal.width = max(_NARROWEST, min(WIDTH, terminal.width))
        terminal.print(render_summary(summary, exact=exact))
        return
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH, color_system=None).print(render_summary(summary, exact=exact))
    target.write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()))


def render_summary(summary: Summary, *, exact: bool = False) -> RenderableType:
    """Return the printed form of a summary: header, table, notes."""
    tables = [_table_by_levels(summary, exact=exact)] if summary.by else [_table(summary, exact=exact)]
    return Group(*header_lines(summary), *tables, *(_text(note) for note in notes(summary, exact=exact)))


def render_headline(summary: Summary) -> RenderableType:
    """Return the short form that ends a run: trafficked, bound, arrived, and the fraction of those bound."""
    table = _empty_table(summary)
    for quantity in summary.quantities:
        table.add_row(*_cells(quantity, exact=False))
    meaning = "Median, its Monte Carlo standard error (MCSE), intervals from parameters and chance. "
    return Group(table, Text(meaning + STATEMENT))


def header_lines(summary: Summary) -> Iterator[Text]:
    """Yield what was simulated, and what is counted."""
    header = summary.header
    yield _text(header.get("scenario_title", ""), "bold")
    parts = [
        f"scenario {scenario_words(header)}",
        f"cohort of {header.get('cohort_year', '?')}",
        f"seed {header.get('seed', '?')}",
        f"engine {header.get('engine', '?')} ({header.get('walker', '?')})",
        _replicates(summary),
        *_design(summary),
    ]
    yield _text(", ".join(parts))
    yield _text(f"Counted as trafficked: {' '.join(str(header.get('definition', '?')).split())}")
    yield Text(STATEMENT, style="bold")


def _design(summary: Summary) -> Iterator[str]:
    """Yield the design of the parameter sets, where it is not the random one."""
    design = summary.header.get("design", "random")
    if design != "random":
        yield f"design {design} (randomisation {summary.header.get('randomisation', 0)})"


def notes(summary: Summary, *, exact: bool = False) -> Iterator[str]:
    """Yield the sentences below the table, only those that apply."""
    levels = " / ".join(f"{percent(level)} %" for level in summary.levels)
    yield (
        f"Intervals ({levels} of the replicates lie between the ends) are from parameters and chance; "
        "they do not hold what the scenario leaves out."
    )
    yield "MCSE: Monte Carlo standard error of the median, from the finite number of replicates." + _worst_end(summary)
    for design in _design(summary):
        yield (
            f"With {design} the replicates are more even than independent ones: an error from plain sampling is too "
            "large here; runs with --randomisation 0, 1, ..., 7 give its own (analysis.design_error)."
        )
    yield (
        "Persons are counted once, however often they try; interceptions and entries are events. "
        "All are flows of one cohort year."
    )
    yield "Every row has its own median: medians of parts need not add up to the median of their sum."
    held, frequent = int(summary.header.get("held_shares", 0)), float(summary.header.get("frequent_event_share", 0.0))
    if held:
        yield f"Warning: {held:,} at-risk shares above 1 were held to 1; pools are not those that the scenario states."
    if frequent:
        yield (
            f"In {100.0 * frequent:.2g} % of the parameter sets some at-risk persons have an event probability above "
            "5 % a year; each counts once, so repeated events are undercounted there."
        )
    for axis, levels_outside in summary.roles.outside.items():
        names = ", ".join(levels_outside)
        yield f"Outside the scope of the scenario, with nobody at risk by assumption: {axis} {names}."
    yield from _notes_on_zeros(summary)
    yield from _notes_on_missing(summary)
    figures = [
        (figure.estimate, quantity.kind)
        for quantity in summary.quantities
        for figure in (quantity.median, *itertools.chain(*((i.lower, i.upper) for i in quantity.intervals)))
    ]
    if not exact and any(is_small(value, kind) for value, kind in figures):
        yield f"{HIDDEN}: figures from 1 to 9 are not shown (--exact shows them)."


def _table(summary: Summary, *, exact: bool) -> Table:
    table = _empty_table(summary)
    for section, quantities in itertools.groupby(summary.quantities, key=lambda quantity: quantity.section):
        table.add_section()
        table.add_row(Text(_SECTIONS.get(section, section), style="italic"))
        for quantity in quantities:
            table.add_row(*_cells(quantity, exact=exact, indent=2))
    return table


def _table_by_levels(summary: Summary, *, exact: bool) -> Table:
    table = _empty_table(summary)
    blocks: dict[tuple[str, ...], list[Quantity]] = {}
    for quantity in summary.quantities:
        blocks.setdefault(tuple(quantity.levels.values()), []).append(quantity)
    for levels, quantities in blocks.items():
        table.add_section()
        table.add_row(_text(_place(summary, levels), "italic"))
        for quantity in quantities:
            table.add_row(*_cells(quantity, exact=exact, indent=2))
    return table


def _empty_table(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), collapse_padding=True)
    table.add_column("", min_width=22, overflow="fold")
    table.add_column("Median", justify="right", no_wrap=True)
    table.add_column("MCSE", justify="right", no_wrap=True)
    for level in summary.levels:
        table.add_column(f"{percent(level)} % interval", justify="right", no_wrap=len(summary.levels) <= 2)
    return table


def _cells(quantity: Quantity, *, exact: bool, indent: int = 0) -> list[RenderableType]:
    label = quantity.label + (" (events)" if quantity.kind == "events" else "")
    kind = quantity.kind
    cells = [
        show_estimate(quantity.median, kind, exact=exact),
        show_error(quantity.median, kind, exact=exact),
        *(show_interval(interval, kind, exact=exact) for interval in quantity.intervals),
    ]
    return [Padding(_text(label), (0, 0, 0, indent)), *(Text(cell) for cell in cells)]


def _text(words: object, style: str = "") -> Text:
    return Text(visible(str(words)), style=style)


def _place(summary: Summary, levels: Sequence[str]) -> str:
    """Return levels as in ``COL (Colombia), female``."""
    shown = []
    for axis, level in zip(summary.by, levels, strict=True):
        label = summary.roles.label(axis, level)
        shown.append(level if label.casefold() == level.casefold() else f"{level} ({label})")
    return ", ".join(shown)


def _replicates(summary: Summary) -> str:
    header = summary.header
    outer, inner = header["nested"]
    done, asked = header["replicates"], header["requested_replicates"]
    count = f"{done:,} replicates" if done == asked else f"{done:,} of {asked:,} replicates (interrupted)"
    return count + (f" (nested: {outer:,} parameter sets x {inner:,})" if inner > 1 else "")


def _worst_end(summary: Summary) -> str:
    """Say how large the standard errors of the interval ends are, which the table does not show."""
    shares = [
        end.mcse / abs(end.estimate)
        for quantity in summary.quantities
        for interval in quantity.intervals
        for end in (interval.lower, interval.upper)
        if not math.isnan(end.mcse) and not is_small(end.estimate, quantity.kind) and end.estimate
    ]
    return f" That of an interval's end is at most {share(max(shares))} of the end." if shares else ""


def _notes_on_zeros(summary: Summary) -> Iterator[str]:
    if summary.by:
        return
    found = [q for q in summary.quantities if q.zeros >= 0.001 and q.kind != "ratio"]
    if found:
        parts = _named(f"{q.label} ({share(q.zeros)})" for q in found)
        errors = [q.zeros_mcse for q in found if not math.isnan(q.zeros_mcse)]
        error = f" (MCSE at most {share(max(errors))})" if errors else ""
        yield f"Zero in some replicates: {parts}{error}."


def _notes_on_missing(summary: Summary) -> Iterator[str]:
    missing = [quantity for quantity in summary.quantities if quantity.missing]
    if missing and not summary.by:
        parts = _named(f"{q.label} ({share(q.missing / (q.n + q.missing))} of them)" for q in missing)
        yield f"No value in replicates with nobody to be counted of: {parts}."
    elif missing:
        yield "Ratios leave out replicates with nobody to be counted of."
    ends = [
        figure
        for quantity in summary.quantities
        if quantity.n
        for figure in (quantity.median, *itertools.chain(*((i.lower, i.upper) for i in quantity.intervals)))
    ]
    if any(math.isnan(figure.mcse) for figure in ends):
        units = "parameter sets" if summary.header["nested"][1] > 1 else "replicates"
        yield f"{MISSING} or no MCSE (of the median or of an interval's end): too few {units} for a standard error."


def _named(parts: Iterable[str]) -> str:
    named = list(parts)
    rest = len(named) - _MOST_NAMED
    return ", ".join(named[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
