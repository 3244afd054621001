"""Declared distributions: their forms, supports and limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simcore.scenario.distributions import FAMILIES, Distribution

declared: TypeAdapter[Any] = TypeAdapter(Distribution)

FORMS: list[tuple[dict[str, Any], tuple[float, float]]] = [
    ({"family": "fixed", "value": 3}, (3, 3)),
    ({"family": "uniform", "min": -1, "max": 2}, (-1, 2)),
    ({"family": "uniform", "min": -1, "max": 2, "lower": 0, "upper": 5}, (0, 2)),
    ({"family": "triangular", "min": 0, "mode": 0, "max": 1}, (0, 1)),
    ({"family": "pert", "min": 0, "mode": 1, "max": 1}, (0, 1)),
    ({"family": "pert", "min": 0, "mode": 0.5, "max": 1, "shape": 2}, (0, 1)),
    ({"family": "beta", "alpha": 1, "beta": 2}, (0, 1)),
    ({"family": "beta", "mean": 0.2, "size": 5, "upper": 0.5}, (0, 0.5)),
    ({"family": "lognormal", "mu": 0, "sigma": 1}, (0, math.inf)),
    ({"family": "lognormal", "mu": 0, "sigma": 0}, (1, 1)),
    ({"family": "lognormal", "median": 2, "gsd": 1}, (2, 2)),
    ({"family": "lognormal", "q05": 0.1, "q95": 0.1}, (0.1, 0.1)),
    ({"family": "lognormal", "q05": 0.1, "q95": 0.2, "upper": 1}, (0, 1)),
    ({"family": "normal", "mean": 1, "sd": 1}, (-math.inf, math.inf)),
    ({"family": "normal", "mean": 1, "sd": 0}, (1, 1)),
    ({"family": "normal", "mean": 1, "sd": 0, "lower": 1}, (1, 1)),
    ({"family": "normal", "mean": 1, "sd": 1, "lower": 0}, (0, math.inf)),
    ({"family": "half_normal", "scale": 0.3}, (0, math.inf)),
    ({"family": "half_normal", "scale": 0}, (0, 0)),
    ({"family": "dirichlet", "means": {"a": 0.5, "b": 0.5}, "concentration": 3}, (0, 1)),
    ({"family": "dirichlet", "alpha": {"a": 1, "b": 2}}, (0, 1)),
    (
        {"family": "dirichlet", "means": {"a": 0.5, "b": 0.5}, "interval": {"component": "a", "q05": 0.2, "q95": 0.8}},
        (0, 1),
    ),
    ({"family": "fixed_shares", "shares": {"a": 0, "b": 1}}, (0, 1)),
    ({"family": "gamma", "shape": 2, "scale": 1}, (0, math.inf)),
    ({"family": "gamma", "mean": 2, "cv": 0.5, "lower": 1, "upper": 3}, (1, 3)),
    ({"family": "gamma", "quantiles": {"q05": 1, "q95": 3}}, (0, math.inf)),
    ({"family": "normal", "quantiles": {"q05": -1, "q95": 3}}, (-math.inf, math.inf)),
    ({"family": "beta", "quantiles": {"q95": 0.4, "q05": 0.3}}, (0, 1)),
    ({"family": "lognormal", "quantiles": {"q05": 1, "q50": 2, "q95": 4}, "upper": 9}, (0, 9)),
    ({"family": "empirical", "probabilities": [0, 0.5, 1], "quantiles": [-1, 2, 2]}, (-1, 2)),
    ({"family": "empirical", "probabilities": [0, 1], "quantiles": [2, 2]}, (2, 2)),
    ({"family": "metalog", "quantiles": {"q05": 1, "q50": 2, "q95": 3}}, (-math.inf, math.inf)),
    ({"family": "metalog", "quantiles": {"q05": 1, "q50": 2, "q95": 3}, "lower_bound": 0}, (0, math.inf)),
    ({"family": "metalog", "quantiles": {"q05": 1, "q50": 2, "q95": 3}, "upper_bound": 4, "terms": 2}, (-math.inf, 4)),
    (
        {
            "family": "pool",
            "experts": {
                "ana": {"weight": 2, "distribution": {"family": "uniform", "min": 1, "max": 2}},
                "ben": {"weight": 1, "distribution": {"family": "beta", "alpha": 1, "beta": 2}},
            },
        },
        (0, 2),
    ),
    ({"family": "categorical", "weights": {"a": 1, "b": 2, "c": 3}}, (0, 2)),
    ({"family": "discrete_uniform", "min": 1, "max": 20}, (1, 20)),
    ({"family": "switch", "on": "form", "cases": {"a": "x", "b": "y[z]"}}, (-math.inf, math.inf)),
    ({"family": "fixed_shares", "shares": {"a": 1}}, (1, 1)),
]


@pytest.mark.parametrize(("form", "support"), FORMS)
def test_form_and_support(form: dict[str, Any], support: tuple[float, float]) -> None:
    distribution = declared.validate_python(form)
    assert distribution.support() == support
    assert distribution.is_simplex == (form["family"] in ("dirichlet", "fixed_shares"))
    assert distribution.is_category == (form["family"] in ("categorical", "discrete_uniform"))
    assert distribution.categories == tuple(form["weights"] if form["family"] == "categorical" else ())
    named = form.get("means") or form.get("alpha") if form["family"] == "dirichlet" else form.get("shares")
    assert distribution.components == tuple(named or ())


def test_every_family_is_covered() -> None:
    assert {form["family"] for form, _ in FORMS} == set(FAMILIES)


@pytest.mark.parametrize(
    "form",
    [
        {"family": "uniform", "min": 0, "max": 1, "lower": 0.5, "upper": 0.5},
        {"family": "uniform", "min": 0, "max": 1, "upper": 0},
        {"family": "uniform", "min": 0, "max": 1, "lower": 1},
        {"family": "normal", "mean": 1, "sd": 0, "lower": 1.1},
        {"family": "lognormal", "median": 2, "gsd": 1, "upper": 1},
        {"family": "lognormal", "mu": 1000, "sigma": 1},
        {"family": "lognormal"},
        {"family": "fixed", "value": 1, "upper": 2},
        {"family": "fixed", "value": 10**400},
        {"family": "fixed", "value": 1.1e150},
        {"family": "uniform", "min": -1e308, "max": 1e308},
        {"family": "triangular", "min": -1e200, "mode": 0, "max": 1e200},
        {"family": "gamma", "mean": 1, "cv": 1e-200},
        {"family": "categorical", "weights": {"a": 1e308, "b": 1e308}},
        {"family": "empirical", "probabilities": [0, 1e-320, 1], "quantiles": [0, 0.5, 1]},
        {"family": "normal", "quantiles": {"q50": 1, "q99.99999999999999999999": 2}},  # rounds to one
        {"family": "normal", "quantiles": {"q\u0660\u0665": 1, "q50": 2}},  # digits of another script
        {"family": "dirichlet", "alpha": {"a": 1}},
        {"family": "dirichlet", "alpha": {}},
        {"family": "dirichlet", "means": {"a": 0.5, "b": 0.5}},
        {"family": "dirichlet", "means": {"a": 0.5, "b": 0.5}, "concentration": 3, "alpha": {"a": 1, "b": 1}},
        {"family": "fixed_shares", "shares": {}},
        {"family": "fixed_shares", "shares": {"a": -0.5, "b": 1.5}},
        {"family": "fixed_shares", "shares": {"a": 0.5, "b": 0.5 + 3e-9}},
        {"family": "fixed_shares", "shares": {"a]": 0.5, "b": 0.5}},
    ],
)
def test_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        declared.validate_python(form)


def test_thirds_sum_to_one() -> None:
    shares = {"a": 1 / 3, "b": 1 / 3, "c": 0.3333333335}
    assert declared.validate_python({"family": "fixed_shares", "shares": shares}).components == ("a", "b", "c")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_pert_needs_its_order_and_nothing_else(low: float, step: float, further: float) -> None:
    form: dict[str, Any] = {"family": "pert", "min": low, "mode": low + step, "max": low + step + further}
    assume(all(form[key] == 0.0 or abs(form[key]) >= 1e-150 for key in ("min", "mode", "max")))
    if form["max"] > form["min"]:
        assert declared.validate_python(form).support() == (form["min"], form["max"])
    else:
        with pytest.raises(ValidationError):
            declared.validate_python(form)


def test_negative_zero_is_zero() -> None:
    assert math.copysign(1, declared.validate_python({"family": "fixed", "value": -0.0}).value) == 1
