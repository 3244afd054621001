"""Parameters on a terminal of 80 columns: a few lines each in a list, or one of them with everything about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from simcore.cli.figures import figure, percent
from simcore.cli.terminal import heading, pairs, show, table, visible
from simcore.scenario.stages import STAGE_TITLES

if TYPE_CHECKING:
    from simcore.cli.assumptions import Assumption
    from simcore.scenario import Scenario
    from simcore.scenario.dependence import PairReport

_NAME, _FIGURE, _INDENT = 36, 10, 2
_MOST_ELEMENTS = 24


def _columns(name: str, figures: Iterable[str], last: str) -> str:
    name = visible(name)
    name = f"{name}\n{'':<{_NAME}}" if len(name) >= _NAME else f"{name:<{_NAME}}"
    return name + "".join(f"{text:>{_FIGURE}}" for text in figures) + f"  {last}"


def column_heads() -> str:
    """Return the line above a list of parameters."""
    return _columns("", ("5 %", "50 %", "95 %"), "grade")


def parameter_lines(assumption: Assumption) -> list[RenderableType]:
    """Return a parameter as lines: name, quantiles and grade; meaning; distribution and unit; sources; rules."""
    head = [figure(value) for value in assumption.quantiles.get("", ())] or ["", "", ""]
    lines: list[RenderableType] = [Text(_columns(assumption.name, head, assumption.grade), style="bold")]
    for component, values in assumption.quantiles.items():
        if component:
            lines.append(Text(_columns(f"  {component}", [figure(value) for value in values], "").rstrip()))
    draws = f", one draw per {' x '.join(assumption.index)}" if assumption.index else ""
    below = [
        assumption.label,
        f"{assumption.distribution}, {assumption.unit}{draws}",
        _fit_line(assumption),
        f"source: {', '.join(assumption.source)}" if assumption.source else "",
        f"in: {'; '.join(assumption.rules)}" if assumption.rules else "used by nothing",
    ]
    lines.extend(Padding(Text(visible(text)), (0, 0, 0, _INDENT)) for text in below if text)
    return lines


def _fit_line(assumption: Assumption) -> str:
    if not assumption.fits:
        return ""
    worst = max(report.largest_residual for _, report in assumption.fits)
    return f"fitted to quantiles, largest residual {percent(worst)}"


def show_card(scenario: Scenario, assumption: Assumption) -> None:
    """Print everything about one parameter: its note, sources, separate draws, fit and dependence."""
    heading(assumption.name)
    stage = STAGE_TITLES[assumption.stage].lower() if assumption.stage else "used by nothing"
    titles = [
        f"{source}: {scenario.sources[source].get('title', '')}".rstrip(": ")
        for source in assumption.source
        if source in scenario.sources
    ]
    draws = ", ".join(assumption.elements[:_MOST_ELEMENTS])
    if len(assumption.elements) > _MOST_ELEMENTS:
        draws += f", and {len(assumption.elements) - _MOST_ELEMENTS} more"
    values = {
        "meaning": assumption.label,
        "stage": stage,
        "distribution": assumption.distribution,
        "unit": assumption.unit,
        "grade": assumption.grade,
        "source": "\n".join(titles) or "none",
        "separate draws": f"{len(assumption.elements)}: {draws}" if assumption.index and draws else "one for all",
        "carried by": "\n".join(assumption.rules) or "nothing",
        "note": assumption.note,
    }
    show(pairs({name: text for name, text in values.items() if text}))
    if assumption.quantiles:
        rows = [
            [component or assumption.name, *(figure(value, 4) for value in values)]
            for component, values in assumption.quantiles.items()
        ]
        show("", table(["quantiles", "5 %", "50 %", "95 %"], rows, right=["5 %", "50 %", "95 %"]))
    for expert, report in assumption.fits:
        fitted = ", ".join(f"{name} {figure(value, 4)}" for name, value in report.parameters.items())
        show("", f"{f'{expert}: ' if expert else ''}fitted {report.family} ({fitted})")
        rows = [
            [one.name, figure(one.asked, 4), figure(one.given, 4), percent(abs(one.residual))]
            for one in report.quantiles
        ]
        show(table(["quantile", "asked", "given", "residual"], rows, right=["asked", "given", "residual"]))
    mine = set(assumption.columns)
    tied = [pair for pair in scenario.dependence_report.pairs() if {pair.first, pair.second} & mine]
    show_pairs(tied, len(tied))


def show_pairs(tied: Iterable[PairReport], most: int) -> None:
    """Print rank correlations: stated ones first, those that differ most from what was asked for before others."""
    ordered = sorted(tied, key=lambda pair: (not pair.stated, -abs(pair.got - pair.asked)))
    if not ordered:
        return
    rows = [
        [first, second, f"{asked:.3f}" if stated else "-", f"{got:.3f}"]
        for first, second, asked, got, stated in ordered[:most]
    ]
    show("", table(["rank correlation of", "and", "asked", "got"], rows, right=["asked", "got"]))
    if len(ordered) > most:
        show(f"and {len(ordered) - most} more pairs (--json lists them)")
