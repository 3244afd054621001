"""Changes and shares as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.difference.attribution import Attributed, Attribution, Share
from analysis.difference.changes import Change
from analysis.narrow_tables import show_table
from analysis.quantity import Estimate
from analysis.summaries import STATEMENT
from simcore.cli.figures import figure, percent, whole
from simcore.cli.terminal import heading, show

if TYPE_CHECKING:
    from simcore.scenario import Scenario

_LONGEST = 60
_SHOWN = ("mean", "median", "mean_log10")


def show_changes(first: Scenario, second: Scenario, changes: Sequence[Change]) -> None:
    """Print what differs, by kind."""
    heading(f"{first.name} -> {second.name}")
    if not changes:
        same = first.digest == second.digest
        show("No changes." if same else "No changes but the order in which things are listed.")
        return
    moving, other = [c for c in changes if c.effective], [c for c in changes if not c.effective]
    show(f"{len(moving)} changes that can move a count, {len(other)} that cannot.")
    for change in changes:
        if change.kind == "population":
            show("", population_sentence(change))
    parameters = [change for change in changes if change.kind == "parameter" and change.effective]
    if parameters:
        heading("Parameters")
        columns = ["parameter", "", "before", "after", "also changed"]
        show_table(columns, [_parameter_row(c) for c in parameters], keys=1)
    tables = [change for change in changes if change.kind == "table"]
    if tables:
        heading("Other tables")
        rows = [[c.name, c.what, _count(c.facts["rows_before"]), _count(c.facts["rows_after"])] for c in tables]
        show_table(["table", "", "rows before", "rows after"], rows, right=["rows before", "rows after"], keys=1)
    structure = [change for change in changes if change.kind == "structure"]
    if structure:
        heading("Structure")
        rows = [[c.name, c.what, brief(c.before), brief(c.after)] for c in structure]
        show_table(["place", "", "before", "after"], rows, keys=1)
    texts = [change for change in changes if change.kind == "text" or (change in other and change.kind == "parameter")]
    if texts:
        heading("Texts only")
        for change in texts:
            if change.kind == "parameter":
                show(f"{change.name}: {', '.join(_documented(change))}")
        others = [f"{change.name} ({change.what})" for change in texts if change.kind == "text"]
        if others:
            show(", ".join(others))
        if any(change.path == ("definition",) for change in texts):
            show("The definitions differ: the two scenarios count different things.")


def population_sentence(change: Change) -> str:
    """Return what happened to the population in one sentence or two."""
    facts = change.facts
    before, after = facts["persons_before"], facts["persons_after"]
    ratio = f" ({_signed_percent(after / before - 1.0)})" if before else ""
    years = [facts[key] for key in ("year_before", "year_after")]
    of = f" of {years[0]}" if years[0] is not None and years[0] == years[1] else ""
    if years[0] != years[1]:
        of = f", {years[0] or 'cells'} against {years[1] or 'cells'}"
    sentence = (
        f"Population{of}: {whole(round(before))} -> {whole(round(after))} persons{ratio}; {facts['cells_changed']} "
        f"of {facts['cells_compared']} cells changed"
    )
    largest = facts["largest_relative_change"]
    if largest is not None:
        place = ", ".join(facts["largest_change_at"].values())
        sentence += f", the largest relative change is {_signed_percent(largest)} ({place})"
    if (change.before or {}).get("factor") != (change.after or {}).get("factor"):
        sentence += f"; factor {change.before.get('factor', 'none')} -> {change.after.get('factor', 'none')}"
    return sentence + "."


def _signed_percent(share: float) -> str:
    return f"{'+' if share >= 0.0 else '-'}{percent(abs(share))}"


def _count(value: int | None) -> str:
    return "-" if value is None else whole(value)


def _parameter_row(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    also = _documented(change)
    if before.get("index") != after.get("index") and change.what == "changed":
        also.insert(0, f"index ({brief(before.get('index'))} -> {brief(after.get('index'))})")
    if change.what != "changed":
        present = before or after
        also = [f"{key} {brief(present.get(key))}" for key in ("unit", "grade", "source") if key in present]
    return [
        change.name,
        change.what,
        distribution_text(before.get("distribution")),
        distribution_text(after.get("distribution")),
        ", ".join(also),
    ]


def _documented(change: Change) -> list[str]:
    """Return what else of a parameter changed; unit, grade and source with their values."""
    before, after = change.before or {}, change.after or {}
    return [
        f"{key} ({brief(before.get(key))} -> {brief(after.get(key))})" if key in ("unit", "grade", "source") else key
        for key in change.also
    ]


def distribution_text(data: Mapping[str, Any] | None) -> str:
    """Return a declared distribution as its family and what was given, such as ``beta(mean=0.05, size=20)``."""
    if data is None:
        return "-"
    given = ", ".join(f"{key}={brief(value)}" for key, value in data.items() if key != "family")
    return f"{data['family']}({given})"


def brief(value: Any) -> str:
    """Return plain data as a short text."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key} {brief(inner)}" for key, inner in value.items()) + "}"
    elif isinstance(value, list):
        text = ", ".join(brief(inner) for inner in value)
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def show_attribution(first: Scenario, second: Scenario, found: Attribution) -> None:
    """Print the shares of the items in the change of each output."""
    if not found.items:
        show("", "Nothing that can move a count differs: the outputs are the same.")
        return
    heading(f"What moves the outputs, {first.name} -> {second.name}")
    order = _by_size(found)
    for item in (found.items[number] for number in order):
        if item.brings:
            show(f"{item.name}: with the new parameters {', '.join(item.brings)}.")
        if item.reason:
            show(f"Put in as one: {item.name}, because they cannot stand alone ({item.reason}).")
    for output in dict.fromkeys(each.output for each in found.figures):
        own = [f for f in found.figures if f.output == output and f.statistic.name in _SHOWN]
        heading(output.label[0].upper() + output.label[1:])
        columns: list[str] = []
        for each in own:
            columns += [each.statistic.label, "MCSE" if each is own[0] else "MCSE" + " " * own.index(each)]
        single = _for_single_effects(own)
        columns += [f"alone, {single.statistic.label} (MCSE)", f"last, {single.statistic.label} (MCSE)"]
        moving = [number for number in order if _moves(own, number)]
        show_table(["", *columns], list(_rows(first, second, found, own, moving)), right=columns, keys=1)
        still = [found.items[number].name for number in order if number not in moving]
        if still:
            show(f"Exactly 0 from: {', '.join(still)}.")
    show("", *(f"{note}." for note in notes(found)))


def _by_size(found: Attribution) -> list[int]:
    """Return the items by their share in the output that is shown first, then in the next, the largest first."""
    decisive = [
        _for_single_effects([f for f in found.figures if f.output == output and f.statistic.name in _SHOWN])
        for output in dict.fromkeys(each.output for each in found.figures)
    ]

    def size(number: int) -> tuple[float, ...]:
        return tuple(-abs(each.shares[number].shapley.estimate) for each in decisive)

    return sorted(range(len(found.items)), key=size)


def _moves(own: Sequence[Attributed], number: int) -> bool:
    """Return whether an item does anything to any figure that is printed of an output."""
    shares = [each.shares[number] for each in own]
    return any(part.estimate != 0.0 for share in shares for part in (share.shapley, share.alone, share.last))


def _rows(
    first: Scenario, second: Scenario, found: Attribution, own: Sequence[Attributed], numbers: Sequence[int]
) -> Iterator[list[str]]:
    yield [first.name, *_cells([each.first for each in own]), "", ""]
    for number in numbers:
        item = found.items[number]
        shares = [each.shares[number] for each in own]
        cells = _cells([_with_both_errors(share) for share in shares], signed=True)
        single = _for_single_effects(own).shares[number]
        yield [f"  {item.name}", *cells, _with_error(single.alone), _with_error(single.last)]
    yield ["total change", *_cells([each.total for each in own], signed=True), "", ""]
    yield [second.name, *_cells([each.second for each in own]), "", ""]


def _for_single_effects(own: Sequence[Attributed]) -> Attributed:
    """Return the figure whose effects alone and last are printed: the logarithm of a count, the mean of a fraction."""
    return own[-1] if own[-1].statistic.is_log else own[0]


def _with_error(estimate: Estimate) -> str:
    return f"{_signed(estimate.estimate)} ({figure(estimate.mcse, 2)})"


def _with_both_errors(share: Share) -> Estimate:
    """Return a Shapley value with its error from draws and, where orders were drawn, from orders."""
    return Estimate(share.shapley.estimate, (share.shapley.mcse**2 + share.sampling_error**2) ** 0.5)


def _cells(estimates: Sequence[Estimate], *, signed: bool = False) -> list[str]:
    cells = []
    for each in estimates:
        cells += [_signed(each.estimate) if signed else figure(each.estimate), figure(each.mcse, 2)]
    return cells


def _signed(value: float) -> str:
    return ("+" if value > 0.0 else "") + figure(value)


def notes(found: Attribution) -> Iterator[str]:
    """Yield how the figures were made."""
    yield (
        f"Exact means given the parameters over {whole(found.draws)} parameter sets (seed {found.seed}), the same in "
        f"all {whole(found.hybrids)} scenarios computed; nothing was simulated"
    )
    if found.permutations:
        yield (
            f"Shares are Shapley values over {found.permutations} orders drawn in antithetic pairs; they sum to the "
            "total change, and their errors are from draws and orders"
        )
    else:
        yield (
            "Shares are Shapley values (effect averaged over all orders in which the items can be put in); they sum "
            "to the total change"
        )
    yield (
        "'alone': put into the first scenario alone; 'last': after all others. MCSE: Monte Carlo standard error, "
        "paired over the draws. 0.301 on the scale of log10 is a factor of 2"
    )
    yield from found.left_out
    yield STATEMENT.removesuffix(".")
