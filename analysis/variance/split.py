"""`split_variance`: a results file to the shares of variance of its outputs (docs/uncertainty_split.md)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.embedded import Roles, read_roles
from analysis.quantity import number_or_none
from analysis.stages import Stage, all_stages, choose_stages
from analysis.summaries import STATEMENT, header_of, stages_with_axes
from analysis.variance.choices import Choice, read_choices, together
from analysis.variance.exact import ExactFigures, exact_figures
from analysis.variance.nested import nested_figures
from analysis.variance.parts import (
    BOOTSTRAPS,
    CHANCE,
    LEVEL,
    MISSING_DATA,
    MODEL_FORM,
    PARAMETERS,
    SEED,
    Parts,
    Weights,
    split_parts,
)
from analysis.variance.sets import LOG10, NATURAL, FloatArray, SetFigures
from simcore.errors import ResultsError, ScenarioError, UserError
from simcore.model import CompiledModel, compile_model
from simcore.runner.embedding import scenario_of

if TYPE_CHECKING:
    from simcore.store import Results

MOST_SETS = 16_384
"""Parameter sets that are used unless told otherwise: the first ones of the file."""

EXACT, NESTED, BOTH = "exact", "nested", "nested, shared chance exact"
AUTO = "auto"
ROUTES = (AUTO, EXACT, NESTED)

DEFAULT_QUANTITIES = ("trafficked", "bound", "reached", "arrived", "arrival_fraction")

_MOST_NUMBERS = 2**25  # of the exact means and variances that are in memory at once
_FEW_SETS = 0.01  # share of sets with small means beyond which a variance to first order is marked as poor


@dataclass(frozen=True)
class OutputSplit:
    """The variance of one output on one scale.

    Attributes
    ----------
    name, label : str
        Of the stage.
    levels : dict of axis -> level
        Empty for the total.
    scale : {"natural", "log10"}
    route : str
        ``"exact"``, ``"nested"``, or both: parameters and chance from the nested run, shared chance exact.
    parts : Parts
    missing_information : float or None
        Rubin's share (1 + 1/M) B / (B + W + B/M) of the missing data, B between the M panels; None without panels.
    first_order_is_poor : bool
        Whether a variance to first order was used where more than 1 % of the sets have a mean count below 10.
    """

    name: str
    label: str
    levels: Mapping[str, str]
    scale: str
    route: str
    parts: Parts
    missing_information: float | None
    first_order_is_poor: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "label": self.label,
            "levels": dict(self.levels),
            "scale": self.scale,
            "route": self.route,
            "parameter_sets": self.parts.n,
            "variance": number_or_none(self.parts.total),
            "parts": _parts_as_json(self.parts.parts),
            "choices": _parts_as_json(self.parts.choices),
            "missing_information": self.missing_information,
            "first_order_is_poor": self.first_order_is_poor,
        }


@dataclass(frozen=True)
class VarianceSplit:
    """The split of a results file.

    Attributes
    ----------
    header : dict
        What was simulated.
    by : tuple of str
    level : float
        Of the intervals of the shares.
    bootstraps, bootstrap_seed : int
    parameter_sets : int
        Sets that were used.
    choices : tuple of Choice
        Categorical parameters of the scenario that took more than one value.
    outputs : tuple of OutputSplit
    roles : Roles
    """

    header: Mapping[str, Any]
    by: tuple[str, ...]
    level: float
    bootstraps: int
    bootstrap_seed: int
    parameter_sets: int
    choices: tuple[Choice, ...]
    outputs: tuple[OutputSplit, ...]
    roles: Roles

    def select(self, name: str, scale: str = NATURAL, **levels: str) -> OutputSplit:
        """Return the split of one output.

        Raises
        ------
        KeyError
            If there is none.
        """
        for output in self.outputs:
            if (output.name, output.scale, dict(output.levels)) == (name, scale, levels):
                return output
        raise KeyError(f"no split of '{name}' on the scale '{scale}' with the levels {levels}")

    def as_json(self) -> dict[str, Any]:
        """Return plain data, None where something is missing."""
        return {
            "filetype": "simcore-variance",
            "version": 1,
            "statement": STATEMENT,
            **self.header,
            "by": list(self.by),
            "level": self.level,
            "interval": "Poisson bootstrap over parameter sets, percentiles moved by the bootstrap's bias",
            "bootstraps": self.bootstraps,
            "bootstrap_seed": self.bootstrap_seed,
            "parameter_sets": self.parameter_sets,
            "choices": [
                {"name": each.name, "categories": list(each.categories), "missing_data": each.is_panel}
                for each in self.choices
            ],
            "outputs": [output.as_json() for output in self.outputs],
        }

    def to_json(self) -> str:
        """Return everything as JSON text."""
        return json.dumps(self.as_json(), indent=2, ensure_ascii=False, allow_nan=False)


def split_variance(
    results: Results,
    *,
    by: Sequence[str] = (),
    quantities: Sequence[str] | None = None,
    route: str = AUTO,
    sets: int = MOST_SETS,
    bootstraps: int = BOOTSTRAPS,
    level: float = LEVEL,
) -> VarianceSplit:
    """Split the variance of outputs into parameters, model form, missing data, shared and individual chance.

    Parameters
    ----------
    results : Results
        Of a single or a nested loop.
    by : sequence of str
        Strata axes to keep apart.
    quantities : sequence of str, optional
        Names of stages; by default trafficked, bound, every point reached, arrived and the arrival fraction.
    route : {"auto", "exact", "nested"}
        ``exact`` computes means and variances in closed form at the parameter sets of the file. ``nested`` estimates
        them from the replicates of a nested run, shared and individual chance together. ``auto`` takes ``exact`` where
        it is exact, which is counts on their natural scale; ratios and logarithms are taken from a nested run if there
        is one, with the shared chance told apart by the exact means.
    sets : int
        Use at most so many of the parameter sets, the first ones.
    bootstraps : int
        Replicates of the bootstrap over parameter sets.
    level : float
        Of the intervals.

    Returns
    -------
    VarianceSplit

    Raises
    ------
    UserError
        An argument that cannot be used.
    ResultsError
        Less than two parameter sets, or a scenario inside that cannot be compiled any more.
    """
    kept = (by,) if isinstance(by, str) else tuple(by)
    _check(results, route, sets, bootstraps, level)
    roles = read_roles(results)
    chosen = choose_stages(all_stages(results, roles), DEFAULT_QUANTITIES if quantities is None else quantities)
    stages = stages_with_axes(results, chosen, kept)
    places = [
        dict(zip(kept, levels, strict=True)) for levels in itertools.product(*(results.labels(axis) for axis in kept))
    ]
    columns = list(itertools.product(stages, places))
    sets = min(sets, max(2, _MOST_NUMBERS // (6 * len(columns))), -(-results.replicates // results.nested[1]))
    model = _compiled(results)
    theta = theta_of(results, model, sets)
    choices = read_choices(model, theta)
    groups = _groups(choices)
    exact: list[ExactFigures | None] = [None] * len(columns)
    if route != NESTED:
        streams = model.streams(int(results.attributes["seed"]))
        exact = exact_figures(model, streams, theta, stages, kept, bound=roles.bound, arrival=roles.arrival)
    natural: Sequence[SetFigures | None] = [None] * len(columns)
    logarithm: Sequence[SetFigures | None] = [None] * len(columns)
    if results.nested[1] > 1 and route != EXACT:
        natural, logarithm = nested_figures(results, stages, kept, sets)
    picked = [
        (stage, place, scale, *by_route)
        for (stage, place), closed, plain, log in zip(columns, exact, natural, logarithm, strict=True)
        for scale, sampled in ((NATURAL, plain), (LOG10, log))
        if (by_route := _pick(stage, scale, closed, sampled, route)) is not None
    ]
    found = split_parts([each[3] for each in picked], groups, Weights(sets, bootstraps), level=level)
    outputs = [
        OutputSplit(stage.name, stage.label, place, scale, name, parts, _rubin(parts, choices), poor)
        for (stage, place, scale, _, name, poor), parts in zip(picked, found, strict=True)
    ]
    return VarianceSplit(
        header=header_of(results),
        by=kept,
        level=level,
        bootstraps=bootstraps,
        bootstrap_seed=SEED,
        parameter_sets=sets,
        choices=tuple(choices),
        outputs=tuple(outputs),
        roles=roles,
    )


def theta_of(results: Results, model: CompiledModel, sets: int) -> FloatArray:
    """Return the first parameter sets of a run, float64 [sets, P]: those stored, else drawn again from the seed.

    Raises
    ------
    ResultsError
        If they were not stored and the design is not random.
    """
    if results.stores_theta:
        return results.theta(model.space.names, rows=slice(0, sets)).to_numpy()
    if results.attributes.get("design", "random") != "random":
        raise ResultsError(
            f"{results.path or 'results in memory'}: parameter values were not stored (--store-theta none), and those "
            f"of design '{results.attributes['design']}' are not drawn again; run it again with --store-theta all"
        )
    return model.draw_theta(model.streams(int(results.attributes["seed"])), np.arange(sets, dtype=np.uint32))


def _compiled(results: Results) -> CompiledModel:
    try:
        return compile_model(scenario_of(results), routes=False)
    except ScenarioError as problem:
        place = results.path or "results in memory"
        raise ResultsError(f"{place}: the scenario inside cannot be compiled: {problem}") from None


def _check(results: Results, route: str, sets: int, bootstraps: int, level: float) -> None:
    from simcore.errors import nearest

    if route not in ROUTES:
        raise UserError(f"route = '{route}': unknown{nearest(route, ROUTES)} (known: {', '.join(ROUTES)})")
    for name, value, least in (("sets", sets, 2), ("bootstraps", bootstraps, 99)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UserError(f"{name} = {value!r}: must be a whole number, at least {least}")
    if not 0.0 < level < 1.0:
        raise UserError(f"level = {level}: must lie between 0 and 1, as 0.9 does")
    place = results.path or "results in memory"
    if route == NESTED and results.nested[1] == 1:
        raise UserError(f"route = 'nested': {place} is a single loop; use 'exact', or run with --nested")
    if results.replicates <= results.nested[1]:
        raise ResultsError(f"{place}: holds one parameter set; a variance over parameters takes two or more")


def _groups(choices: Sequence[Choice]) -> list[Choice]:
    """Return model form and missing data as groups, and each choice by itself."""
    form = together(MODEL_FORM, [choice for choice in choices if not choice.is_panel])
    panel = together(MISSING_DATA, [choice for choice in choices if choice.is_panel])
    named = [(MODEL_FORM, form), (MISSING_DATA, panel)]
    return [*(replace(group, name=name) for name, group in named if group is not None), *choices]


def _pick(
    stage: Stage, scale: str, closed: ExactFigures | None, sampled: SetFigures | None, route: str
) -> tuple[SetFigures, str, bool] | None:
    """Return figures, the route that they came by, and whether a variance to first order is poor."""
    own = None if closed is None else closed.natural if scale == NATURAL else closed.logarithm
    is_exact = scale == NATURAL and stage.kind != "ratio"
    if own is not None and closed is not None and (is_exact or sampled is None):
        return own, EXACT, not is_exact and closed.few > _FEW_SETS
    if sampled is None:
        return None
    if own is None or closed is None:
        return sampled, NESTED, False
    assert own.shared is not None
    shared = np.nan_to_num(own.shared)  # a set with nobody to be counted has no logarithm, and no chance either
    if not shared.any():  # nothing is shared, so all chance is individual
        return sampled.with_shared(shared), NESTED, False
    return sampled.with_shared(shared), BOTH, closed.few > _FEW_SETS


def _rubin(parts: Parts, choices: Sequence[Choice]) -> float | None:
    """Return Rubin's missing-information share, (1 + 1/M) B / T with T = W + (1 + 1/M) B (docs/model.md A4)."""
    panels = [choice for choice in choices if choice.is_panel]
    if len(panels) != 1 or MISSING_DATA not in parts.parts:
        return None
    m = len(panels[0].categories)
    # The M panels are a sample of panels: their population variance times M / (M - 1) estimates B.
    between = max(parts.parts[MISSING_DATA].variance, 0.0) * m / (m - 1.0)
    inside = parts.parts[PARAMETERS].variance + parts.parts[CHANCE].variance - parts.parts[MISSING_DATA].variance
    total = inside + (1.0 + 1.0 / m) * between
    return float((1.0 + 1.0 / m) * between / total) if total > 0.0 else None


def _parts_as_json(parts: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    return {name: {key: number_or_none(value) for key, value in part.as_json().items()} for name, part in parts.items()}
