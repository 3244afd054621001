"""What is odd about a scenario but not wrong: warnings, which change no exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from simcore.scenario.at_risk_models import remarks_of
from simcore.scenario.distributions.fitting import LARGEST_RESIDUAL, fit_reports, misfit_text
from simcore.scenario.fields import split_reference
from simcore.scenario.locations import KeyPath

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario


def add_warnings(scenario: Scenario) -> None:
    """Add what is odd but not wrong: parameters, legs and points that nothing uses, nobody at risk."""
    used = {split_reference(reference.text)[0] for reference in scenario.references()}
    for name in scenario.document.parameters:
        if name not in used:
            scenario.warn(("parameters", name), "is not used")
        for path, report in fit_reports(scenario.document.parameters[name].distribution):
            if report.largest_residual > LARGEST_RESIDUAL:
                scenario.warn(("parameters", name, "distribution", *path), misfit_text(report))
    warn_of_old_grades(scenario)
    journeys = [scenario.journey(place) for place in scenario.active_strata]
    legs = {leg for journey in journeys for leg in journey.legs}
    for leg in scenario.levels("leg"):
        if leg not in legs:
            scenario.warn(("transit", "legs", leg), "no stratum takes this leg")
    for key, text in scenario.dependence_report.remarks:
        scenario.warn(key, text)
    for model, block in scenario.at_risk_in_use.values():
        for key, text in remarks_of(model, block, scenario):
            scenario.warn(key, text)
    if not scenario.active_strata:
        scenario.warn(("at_risk", "active"), "selects no stratum, so nobody is at risk")
    elif not scenario.population.any():
        scenario.warn(("population",), "holds no persons")
    if scenario.document.transit.attempt_effect is not None and not any(journey.returned for journey in journeys):
        scenario.warn(("transit", "attempt_effect"), "has no effect: nobody can be intercepted")


def warn_of_old_grades(scenario: Scenario) -> None:
    """Warn where a patch or setting changes a distribution that rests on sources and says nothing of the grade."""
    stale: dict[str, KeyPath] = {}
    for layer in scenario.layers.layers[1:]:
        for name, written in layer.data.get("parameters", {}).items():
            if not isinstance(written, Mapping):
                continue
            if "grade" in written or "source" in written:
                stale.pop(name, None)
            elif "distribution" in written and name in scenario.document.parameters:
                stale[name] = ("parameters", name, "distribution")
    for name, key in stale.items():
        grade = scenario.document.parameters[name].grade
        if grade != "illustrative":
            text = f"changed, but the grade {grade!r} and the sources are those of the distribution before it"
            scenario.warn(key, f"{text}; give grade and source too")
