"""How much of a scenario rests on what: grades by stage, missing cells, citations, repairs of dependence, fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from simcore.cli.assumptions import GRADES, Assumption, fit_data
from simcore.scenario.stages import STAGES

if TYPE_CHECKING:
    from simcore.scenario import Scenario

_NOTICED = 1e-6  # smaller repairs are rounding


def _counts(assumptions: Iterable[Assumption]) -> dict[str, dict[str, int]]:
    parameters, columns = dict.fromkeys(GRADES, 0), dict.fromkeys(GRADES, 0)
    for assumption in assumptions:
        parameters[assumption.grade] += 1
        columns[assumption.grade] += len(assumption.columns)
    return {"parameters": parameters, "columns": columns}


def _shares(counts: dict[str, int]) -> dict[str, float | None]:
    total = sum(counts.values())
    return {grade: count / total if total else None for grade, count in counts.items()}


def grade_coverage(assumptions: Sequence[Assumption]) -> dict[str, Any]:
    """Return parameters and columns of theta by grade, per stage and in total, with shares.

    A parameter counts once, at the first stage that uses it; one that nothing uses counts at no stage and fills no
    column.
    """
    total = _counts(assumptions)
    stages = []
    for stage in (*STAGES, None):
        here = [assumption for assumption in assumptions if assumption.stage == stage]
        if here:
            stages.append({"stage": stage, **_counts(here)})
    return {
        "stages": stages,
        "total": {
            **total,
            "share_of_parameters": _shares(total["parameters"]),
            "share_of_columns": _shares(total["columns"]),
        },
    }


def covariate_coverage(scenario: Scenario) -> dict[str, Any] | None:
    """Return how many covariate cells there are and which are missing; None without covariates."""
    if scenario.covariates is None:
        return None
    from simcore.scenario.citations import taken_covariates

    observed = scenario.covariates.observed
    return {
        "year": observed.year,
        "window": observed.window,
        "cells": int(observed.missing.size),
        "panels": scenario.covariates.panels,
        "taken": sorted(taken_covariates(scenario)),
        "missing": [{"origin": origin, "covariate": name} for origin, name in observed.missing_cells()],
    }


def source_coverage(scenario: Scenario) -> dict[str, Any]:
    """Return which sources enter the numbers, which are only described, and which the catalogue lacks.

    Raises
    ------
    ScenarioError
        If a row of the catalogue or of the evidence is wrong.
    """
    from simcore.scenario.catalogue import read_catalogue
    from simcore.scenario.citations import collect_citations

    rows = read_catalogue(scenario)
    catalogued = {row.source for row in rows}
    cited = sorted({citation.source for citation in collect_citations(scenario) if citation.enters})
    return {
        "cited": cited,
        "described": len(scenario.sources),
        "not_cited": [source for source in scenario.sources if source not in cited],
        "catalogue": len(rows),
        "not_in_catalogue": [source for source in cited if source not in catalogued] if rows else [],
    }


def unused_parameters(assumptions: Iterable[Assumption]) -> list[str]:
    """Return the parameters that nothing uses."""
    return [assumption.name for assumption in assumptions if not assumption.elements]


def dependence_coverage(scenario: Scenario) -> dict[str, Any]:
    """Return how many scalars depend on each other, and how far their correlations had to be moved."""
    report = scenario.dependence_report
    pairs = list(report.pairs())
    worst = max(pairs, key=lambda pair: abs(pair.got - pair.asked), default=None)
    change = 0.0 if worst is None else abs(worst.got - worst.asked)
    return {
        "groups": len(report.groups),
        "pairs": len(pairs),
        "repaired": change > _NOTICED,
        "most_moved": None if worst is None else {**worst._asdict(), "change": change},
    }


def fit_coverage(assumptions: Iterable[Assumption]) -> list[dict[str, Any]]:
    """Return every distribution that was declared by quantiles, with its residuals."""
    from simcore.scenario.distributions.fitting import LARGEST_RESIDUAL

    return [
        {
            "parameter": assumption.name,
            **fit_data(expert, report),
            "beyond_limit": report.largest_residual > LARGEST_RESIDUAL,
        }
        for assumption in assumptions
        for expert, report in assumption.fits
    ]
