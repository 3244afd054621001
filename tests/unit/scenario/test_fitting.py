"""From quantiles to parameters: exact where it can be, least squares where not, and told when it is poor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import special, stats

from simcore.scenario import load_scenario
from simcore.scenario.distributions import Distribution, fit_report, fit_reports
from simcore.scenario.distributions.fitting import family_quantile, misfit_text, residual_scale
from tests.conftest import ROOT

RIVER = ROOT / "tests" / "scenarios" / "river.toml"
declared: TypeAdapter[Any] = TypeAdapter(Distribution)
THREE = {"q05": 0.1, "q50": 0.3, "q95": 0.4}


@pytest.mark.parametrize("family", ["normal", "lognormal", "gamma", "beta"])
@pytest.mark.parametrize(
    "quantiles", [{"q05": 0.1, "q95": 0.4}, {"q02.5": 0.002, "q97.5": 0.9}, {"q40": 0.5, "q60": 0.6}]
)
def test_two_quantiles_are_met(family: str, quantiles: dict[str, float]) -> None:
    report = fit_report(declared.validate_python({"family": family, "quantiles": quantiles}))
    assert report is not None
    assert report.largest_residual < 1e-9
    assert [quantile.given for quantile in report.quantiles] == pytest.approx(list(quantiles.values()), rel=1e-9)
    assert [quantile.asked for quantile in report.quantiles] == list(quantiles.values())


def test_known_answers() -> None:
    """A lognormal has a closed form (docs/model.md D2); a beta and a gamma come back from their own quantiles."""
    fitted = declared.validate_python({"family": "lognormal", "quantiles": {"q05": 0.02, "q95": 0.5}}).fitted()
    sigma = math.log(0.5 / 0.02) / (2.0 * special.ndtri(0.95))
    assert fitted == pytest.approx(((math.log(0.02) + math.log(0.5)) / 2.0, sigma), rel=1e-9)
    for family, exact, parameters in (
        ("beta", stats.beta(3.0, 11.0), (3.0, 11.0)),
        ("gamma", stats.gamma(0.8, scale=5.0), (0.8, 5.0)),
        ("normal", stats.norm(-3.0, 0.4), (-3.0, 0.4)),
    ):
        quantiles = {
            name: float(exact.ppf(p)) for name, p in (("q10", 0.1), ("q50", 0.5), ("q75", 0.75), ("q99", 0.99))
        }
        fit = declared.validate_python({"family": family, "quantiles": quantiles})
        assert fit.fitted() == pytest.approx(parameters, rel=1e-7)
        assert list(fit_report(fit).parameters.values()) == list(fit.fitted())  # type: ignore[union-attr]


@pytest.mark.parametrize("family", ["normal", "lognormal", "gamma", "beta"])
def test_three_quantiles_are_fitted_as_well_as_can_be(family: str) -> None:
    """No parameters nearby have a smaller sum of squares."""
    d = declared.validate_python({"family": family, "quantiles": THREE})
    asked, p = np.array(list(THREE.values())), np.array([0.05, 0.5, 0.95])
    ends = {"normal": (-math.inf, math.inf), "beta": (0.0, 1.0)}.get(family, (0.0, math.inf))

    def misfit(parameters: tuple[float, float]) -> float:
        residuals = (family_quantile(family, parameters, p) - asked) / residual_scale(asked, *ends)
        return float((residuals**2).sum())

    first, second = d.fitted()
    best = misfit((first, second))
    assert math.sqrt(best) >= fit_report(d).largest_residual > 0.05  # type: ignore[union-attr]
    for a, b in ((1.001, 1.0), (0.999, 1.0), (1.0, 1.001), (1.0, 0.999), (1.001, 1.001), (0.999, 0.999)):
        assert misfit((first * a, second * b)) > best


def test_concentration_from_one_interval() -> None:
    means = {"a": 0.3, "b": 0.5, "c": 0.2}
    marginal = stats.beta(12.0 * 0.3, 12.0 * 0.7)
    interval = {"component": "a", "q05": float(marginal.ppf(0.05)), "q95": float(marginal.ppf(0.95))}
    d = declared.validate_python({"family": "dirichlet", "means": means, "interval": interval})
    assert d.weights() == pytest.approx([3.6, 6.0, 2.4], rel=1e-6)
    assert fit_report(d).parameters["concentration"] == pytest.approx(12.0, rel=1e-6)  # type: ignore[union-attr]
    assert fit_report(declared.validate_python({"family": "dirichlet", "means": means, "concentration": 12})) is None


def test_truncation_shows_in_the_report() -> None:
    whole, cut = ({"family": "normal", "quantiles": {"q05": 0.0, "q95": 2.0}, **ends} for ends in ({}, {"lower": 0.0}))
    assert fit_report(declared.validate_python(whole)).largest_residual < 1e-12  # type: ignore[union-attr]
    report = fit_report(declared.validate_python(cut))
    assert report is not None
    assert report.quantiles[0].given > 0.1


def test_every_expert_has_a_report() -> None:
    experts = {
        "ana": {"weight": 1, "distribution": {"family": "beta", "quantiles": THREE}},
        "ben": {"weight": 2, "distribution": {"family": "beta", "alpha": 2, "beta": 3}},
        "eva": {"weight": 2, "distribution": {"family": "metalog", "quantiles": THREE, "lower_bound": 0}},
    }
    reports = dict(fit_reports(declared.validate_python({"family": "pool", "experts": experts})))
    assert list(reports) == [("experts", "ana", "distribution"), ("experts", "eva", "distribution")]
    assert reports["experts", "eva", "distribution"].largest_residual < 1e-12
    assert fit_report(declared.validate_python({"family": "fixed", "value": 1})) is None


def test_poor_fit_is_a_warning() -> None:
    grade = 'parameters.ferry_share.grade="elicited"'
    text = '{family = "beta", quantiles = {q05 = 0.1, q50 = 0.3, q95 = 0.4}}'
    scenario = load_scenario(RIVER, settings=[f"parameters.ferry_share.distribution={text}", grade])
    (warning,) = [warning for warning in scenario.warnings if "ferry_share" in warning]
    for words in ("parameters.ferry_share.distribution", "misses q", "asked", "limit 5%", "empirical", "metalog"):
        assert words in warning
    text = '{family = "beta", quantiles = {q05 = 0.1, q95 = 0.4}}'
    scenario = load_scenario(RIVER, settings=[f"parameters.ferry_share.distribution={text}", grade])
    assert not [warning for warning in scenario.warnings if "ferry_share" in warning]
    report = fit_report(scenario.document.parameters["ferry_share"].distribution)
    assert report is not None
    assert "(residual 0.0%, limit 5%)" in misfit_text(report)
