"""`summarize`: from a results file to the funnel, from persons to arrivals, with intervals and Monte Carlo errors.

The intervals are those of the replicates as they are: each has its own draw of the parameters and of chance, so they
hold both ("from parameters and chance"). How the Monte Carlo standard errors are found, and from which sources, is
written in `analysis.monte_carlo_error`; what the stages are, in `analysis.stages`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.embedded import Roles, read_roles
from analysis.passes import Measured, measure
from analysis.quantity import Estimate, Interval, Quantity
from analysis.stages import Stage, all_stages, choose_stages
from simcore.errors import UserError, nearest

if TYPE_CHECKING:
    import pandas

    from simcore.store import Results

LEVELS = (0.5, 0.9)
"""Levels of the intervals that are given unless told otherwise."""

STATEMENT = "These figures are consequences of stated assumptions; they are not estimates of prevalence."

_HEADER = (
    "scenario_name",
    "scenario_title",
    "scenario_digest",
    "scenario_settings",
    "cohort_year",
    "definition",
    "seed",
    "held_shares",
    "frequent_event_share",
    "engine",
    "walker",
    "design",
    "randomisation",
    "results_version",
)
_SINGLE = "median and quantiles of type 7; standard errors from independent replicates (binomial order statistics)"
_NESTED = "median and quantiles of type 7; standard errors from parameter sets as clusters (Woodruff 1952)"


def scenario_words(header: Mapping[str, Any], *, longest: int = 200) -> str:
    """Return the name of a scenario and what was set on top of it: ``phase1 with transit.attempt_cap=3``.

    Parameters
    ----------
    header : mapping
        Root attributes of the results file.
    longest : int
        Characters; of a longer text only how many settings there were.
    """
    name, settings = str(header.get("scenario_name", "?")), str(header.get("scenario_settings", "")).splitlines()
    if not settings:
        return name
    words = f"{name} with {', '.join(settings)}"
    return words if len(words) <= longest else f"{name} with {len(settings)} setting{'s' * (len(settings) > 1)}"


@dataclass(frozen=True)
class Summary:
    """The funnel of a results file.

    Attributes
    ----------
    header : dict
        What was simulated: scenario, definition, seed, engine, replicates.
    by : tuple of str
        Axes kept apart; empty for totals.
    levels : tuple of float
        Levels of the intervals, from narrow to wide.
    quantities : tuple of Quantity
        In the order of the funnel; with ``by``, stage by stage.
    roles : Roles
        Labels of levels, and levels outside the scope of the scenario.
    """

    header: Mapping[str, Any]
    by: tuple[str, ...]
    levels: tuple[float, ...]
    quantities: tuple[Quantity, ...]
    roles: Roles

    def __getitem__(self, name: str) -> Quantity:
        """Return a total by name or alias; with ``by``, use `select`."""
        return self.select(name)

    def __contains__(self, name: str) -> bool:
        return any(quantity.name == self._full_name(name) for quantity in self.quantities)

    def select(self, name: str, **levels: str) -> Quantity:
        """Return a quantity by name and one level for each axis of ``by``, as in ``select("bound", origin="COL")``.

        Raises
        ------
        KeyError
            If there is none, or the levels leave a choice.
        """
        named = [quantity for quantity in self.quantities if quantity.name == self._full_name(name)]
        found = [quantity for quantity in named if dict(quantity.levels) == levels]
        if len(found) == 1:
            return found[0]
        if not named:
            raise KeyError(f"no quantity '{name}'{nearest(name, {q.name for q in self.quantities})}")
        given = ", ".join(f"{axis} = {level}" for axis, level in levels.items()) or "no levels"
        raise KeyError(f"'{name}' is by {', '.join(self.by) or 'nothing'}: {given} given, and there is no such one")

    def _full_name(self, name: str) -> str:
        own = {f"destination[{self.roles.bound}]": "bound", f"outcome[{self.roles.arrival}]": "arrived"}
        return own.get(name, name)

    def table(self) -> pandas.DataFrame:
        """Return one row per quantity (and combination of levels); NaN where something is missing."""
        import pandas as pd

        return pd.DataFrame([quantity.as_row() for quantity in self.quantities])

    def to_json(self) -> str:
        """Return everything as JSON text; null where something is missing. Nothing is rounded or hidden."""
        content = {
            "filetype": "simcore-summary",
            "version": 1,
            "statement": STATEMENT,
            **self.header,
            "by": list(self.by),
            "levels": list(self.levels),
            "outside_scope": {axis: list(levels) for axis, levels in self.roles.outside.items()},
            "quantities": [quantity.as_json() for quantity in self.quantities],
        }
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def summarize(
    results: Results,
    *,
    by: Sequence[str] = (),
    levels: Sequence[float] = LEVELS,
    quantities: Sequence[str] | None = None,
) -> Summary:
    """Summarise a results file: mean, sd, median and central intervals of every stage of the funnel.

    Parameters
    ----------
    results : Results
        From `simcore.run` or `simcore.open_results`; a nested or interrupted run as well.
    by : sequence of str
        Strata axes to keep apart. A stage without one of them (persons have no kind of exploitation) is left out.
    levels : sequence of float
        Levels of the central intervals, each between 0 and 1.
    quantities : sequence of str, optional
        Names of stages (see `analysis.stages`), or families of them such as ``"visits"``. By default the funnel
        without ``visits`` and ``attempts``.

    Returns
    -------
    Summary

    Raises
    ------
    UserError
        A level or a quantity that cannot be used.
    ResultsError
        An unknown axis, one that was summed over before storing, or a damaged file.

    Notes
    -----
    Memory does not grow with the number of replicates. Figures are exact: quantiles are order statistics of all
    replicates (interpolated as `numpy.quantile` does by default).
    """
    kept = (by,) if isinstance(by, str) else tuple(by)
    chosen_levels = _checked_levels(levels)
    roles = read_roles(results)
    stages = stages_with_axes(results, choose_stages(all_stages(results, roles), quantities), kept)
    tails = [((1.0 - level) / 2.0, (1.0 + level) / 2.0) for level in chosen_levels]
    probabilities = [0.5, *itertools.chain.from_iterable(tails)]
    measured = measure(results, stages, by=kept, probabilities=probabilities)
    places = [
        dict(zip(kept, combination, strict=True))
        for combination in itertools.product(*(results.labels(axis) for axis in kept))
    ]
    columns = itertools.product(stages, places)
    nested = results.nested[1] > 1
    return Summary(
        header=header_of(results),
        by=kept,
        levels=chosen_levels,
        quantities=tuple(
            _quantity(stage, place, measured, column, chosen_levels, nested=nested)
            for column, (stage, place) in enumerate(columns)
        ),
        roles=roles,
    )


def stages_with_axes(results: Results, stages: Sequence[Stage], by: Sequence[str]) -> list[Stage]:
    """Return the stages that have all axes of ``by``.

    Raises
    ------
    UserError
        If none has.
    ResultsError
        An axis that no stage has, or that was summed over before storing.
    """
    results.read("victims", by=by, rows=slice(0, 0))  # an axis that no stage has is a mistake, said by the store
    found = [stage for stage in stages if _has_axes(results, stage, by)]
    if not found:
        raise UserError(f"quantities: none of those asked for is by {', '.join(by)}")
    return found


def _quantity(
    stage: Stage, place: dict[str, str], measured: Measured, column: int, levels: Sequence[float], *, nested: bool
) -> Quantity:
    def quantile(number: int) -> Estimate:
        return Estimate(float(measured.quantile[column, number]), float(measured.quantile_error[column, number]))

    return Quantity(
        name=stage.name,
        label=stage.label,
        kind=stage.kind,
        section=stage.section,
        levels=place,
        n=int(measured.n[column]),
        missing=int(measured.missing[column]),
        groups=int(measured.groups[column]),
        zeros=float(measured.zeros[column]),
        zeros_mcse=float(measured.zeros_error[column]),
        mean=Estimate(float(measured.mean[column]), float(measured.mean_error[column])),
        sd=float(measured.sd[column]),
        sd_mcse=float(measured.sd_error[column]),
        median=quantile(0),
        intervals=tuple(
            Interval(level, quantile(1 + 2 * number), quantile(2 + 2 * number)) for number, level in enumerate(levels)
        ),
        method=_NESTED if nested else _SINGLE,
    )


def header_of(results: Results) -> dict[str, Any]:
    """Return what was simulated: scenario, definition, seed, engine, replicates."""
    header = {name: results.attributes[name] for name in _HEADER if name in results.attributes}
    return header | {
        "file": None if results.path is None else str(results.path),
        "status": results.status,
        "replicates": results.replicates,
        "requested_replicates": results.requested_replicates,
        "nested": list(results.nested),
    }


def _has_axes(results: Results, stage: Stage, by: Sequence[str]) -> bool:
    return all(set(by) <= set(results.variable(name).strata) for name in stage.variables)


def _checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    wrong = [level for level in levels if not 0.0 < level < 1.0]
    if wrong:
        raise UserError(f"levels = {wrong[0]}: must lie between 0 and 1, as 0.9 does")
    return tuple(sorted({float(level) for level in levels}))
