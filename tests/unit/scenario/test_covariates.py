"""Covariates of origins: which value counts, what the at-risk model sees, and one line for every mistake."""

# One row per case reads better than folded rows.
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario, scenario_from_embedded
from simcore.scenario.covariates import Covariates, Variable, nearest_values
from simcore.scenario.panels import PANEL_COLUMNS, write_panels
from simcore.scenario.provenance import to_json

ORIGINS = ("highlands", "low lands")
TABLE = """\
origin,covariate,year,value,unit,source_id,note
highlands,poverty,2009,40,percent,census,
highlands,poverty,2013,44,percent,census,
low lands,poverty,2011,25,percent,census;ledger,
low lands,poverty,2012,,percent,census,nobody asked
highlands,order,2011,-0.5,score,ledger,
low lands,order,2003,0.25,score,ledger,
elsewhere,poverty,2011,99,percent,census,another place
highlands,ferries,2011,3,boats,ledger,not used by the scenario
"""
DECLARED = """
[covariates]
table = "facts.csv"
{panels}

[covariates.variables.poverty]
sign = 1
transform = "logit"
full = 100
unit = "percent"

[covariates.variables.order]
sign = -1
"""
PANELS = """\
panel,origin,covariate,value,imputed,year,source_id
,highlands,poverty,40,0,2009,census
,low lands,poverty,25,0,2011,census;ledger
,highlands,order,-0.5,0,2011,ledger
1,low lands,order,0.1,1,,
2,low lands,order,-0.2,1,,
3,low lands,order,0.3,1,,
"""

Write = Callable[..., Path]


@pytest.fixture
def write(river_copy: Path) -> Write:
    """Write the river with covariates; each argument replaces a text of the scenario, the facts or the panels."""

    def make(
        *,
        facts: tuple[str, str] = ("", ""),
        declared: tuple[str, str] = ("", ""),
        panels: tuple[str, str] | None = None,
    ) -> Path:
        for text, (old, _) in ((TABLE, facts), (DECLARED, declared), (PANELS, panels or ("", ""))):
            assert old in text, old
        named = "" if panels is None else 'panels = "panels.csv"'
        scenario = DECLARED.replace("{panels}", named).replace(*declared, 1)
        river_copy.write_text(river_copy.read_text() + scenario)
        river_copy.with_name("facts.csv").write_text(TABLE.replace(*facts, 1))
        if panels is not None:
            river_copy.with_name("panels.csv").write_text(PANELS.replace(*panels, 1))
        return river_copy

    return make


def covariates_of(path: Path, *settings: str) -> Covariates:
    covariates = load_scenario(path, settings=settings).covariates
    assert covariates is not None
    return covariates


def test_what_the_at_risk_model_sees(write: Write) -> None:
    found = covariates_of(write(panels=("", "")))
    assert found.names == ("poverty", "order")
    assert found.panels == 3
    np.testing.assert_array_equal(found.signs, [1, -1])
    assert found.signs.dtype == np.int64
    np.testing.assert_array_equal(found.values[:, :, 0], [[40, 25]] * 3)
    np.testing.assert_array_equal(found.values[:, :, 1], [[-0.5, 0.1], [-0.5, -0.2], [-0.5, 0.3]])
    np.testing.assert_allclose(found.transformed[:, :, 0], [[np.log(40 / 60), np.log(25 / 75)]] * 3, rtol=1e-15)
    np.testing.assert_array_equal(found.transformed[:, :, 1], found.values[:, :, 1])
    np.testing.assert_array_equal(found.imputed, [[False, False], [False, True]])
    np.testing.assert_array_equal(found.years, [[2009, 2011], [2011, -1]])
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0, 0] = 1.0


def test_nothing_missing_needs_no_panels(write: Write) -> None:
    found = covariates_of(write(facts=("2003,0.25", "2013,0.25")))
    assert found.panels == 1
    assert not found.imputed.any()
    np.testing.assert_array_equal(found.values, [[[40.0, -0.5], [25.0, 0.25]]])


def test_year_and_window_decide(write: Write) -> None:
    """Of two equally near years the earlier; a wider window finds the value of 2003; another year the other value."""
    path = write()
    found = covariates_of(path, "covariates.window=8")
    np.testing.assert_array_equal(found.years, [[2009, 2011], [2011, 2003]])
    moved = covariates_of(path, "covariates.window=9", "covariates.year=2012")
    np.testing.assert_array_equal(moved.years, [[2013, 2011], [2011, 2003]])


def test_nearest_values() -> None:
    nan = np.nan
    series = np.array([[nan, 1.0, nan, 3.0, nan], [0.0, nan, nan, nan, 4.0], [nan, nan, nan, nan, nan]])
    values, years = nearest_values(series, np.arange(2000, 2005), 2002, 1)
    np.testing.assert_array_equal(values, [1.0, nan, nan])
    np.testing.assert_array_equal(years, [2001, -1, -1])
    values, years = nearest_values(series, np.arange(2000, 2005), 2003, 3)
    np.testing.assert_array_equal(values, [3.0, 4.0, nan])
    np.testing.assert_array_equal(years, [2003, 2004, -1])


def test_panels_left_out_on_request(write: Write) -> None:
    """What makes the panels loads the scenario without them."""
    scenario = load_scenario(write(), panels=False)
    assert scenario.covariates is not None
    assert np.isnan(scenario.covariates.values[0, 1, 1])
    assert scenario.covariates.observed.missing_cells() == [("low lands", "order")]


def test_written_panels_are_read_back(write: Write) -> None:
    path = write(panels=("", ""))
    first = covariates_of(path)
    text = write_panels(first.observed, first.values, "how")
    assert text.splitlines()[0] == ",".join(PANEL_COLUMNS)
    path.with_name("panels.csv").write_text(text)
    np.testing.assert_array_equal(covariates_of(path).values, first.values)


def test_stored_scenario_keeps_covariates(write: Write) -> None:
    scenario = load_scenario(write(panels=("", "")))
    again = scenario_from_embedded(to_json(scenario.resolved), dict(scenario.tables))
    assert again.digest == scenario.digest
    assert scenario.covariates is not None
    assert again.covariates is not None
    np.testing.assert_array_equal(again.covariates.values, scenario.covariates.values)


def test_panels_of_variables_that_are_not_used_are_passed_over(write: Write) -> None:
    path = write(panels=("panel,", "panel,"))
    text = path.read_text()
    path.write_text(text[: text.index("[covariates.variables.order]")])
    found = covariates_of(path)
    assert (found.names, found.panels) == (("poverty",), 1)


@pytest.mark.parametrize("transform", ["logit", "log", "none"])
def test_transforms_are_inverse(transform: str) -> None:
    full = {"full": 100} if transform == "logit" else {}
    variable = Variable.model_validate({"sign": 1, "transform": transform, **full})
    values = np.array([1e-9, 0.5, 50.0, 99.999])
    np.testing.assert_allclose(variable.backward(variable.forward(values)), values, rtol=1e-9)
    assert np.isnan(variable.forward(np.array([np.nan]))).all()


def complaint(path: Path, *settings: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, settings=settings)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_missing_without_panels(write: Write) -> None:
    text = complaint(write())
    for word in (
        "river.toml:",
        "covariates:",
        "low lands, order",
        "3 years of 2011",
        "simcore impute",
        "river.toml -o",
    ):
        assert word in text


def test_no_origin_has_it(write: Write) -> None:
    text = complaint(write(), "covariates.window=0", "covariates.year=2009")
    assert "covariates.variables.order: no origin has a value within 0 years of 2009" in text
    assert "cannot be imputed" in text


FACTS = {
    "no number": (("2009,40,", "2009,forty,"), ("facts.csv:2: value", "finite number", "'forty'")),
    "negative under logit": (("2009,40,", "2009,-3,"), ("facts.csv:2: value", "poverty", "above 0 and below 100", "-3")),
    "all under logit": (("2009,40,", "2009,100,"), ("facts.csv:2: value", "below 100", "got 100")),
    "twice": (("2013,44,", "2009,44,"), ("facts.csv:3: year", "highlands, poverty, 2009", "line 2")),
    "other unit": (("44,percent", "44,share"), ("facts.csv:3: unit", "'percent'", "'share'")),
    "no source": (("44,percent,census", "44,percent,"), ("facts.csv:3: source_id", "missing cell")),
    "unknown source": (("census;ledger", "census;leger"), ("facts.csv:4: source_id", "'leger'", "'ledger'")),
    "no year": (("poverty,2009", "poverty,"), ("facts.csv:2: year", "1 to 9999", "''")),
    "half a year": (("poverty,2009", "poverty,2009.5"), ("facts.csv:2: year", "whole number", "2009.5")),
    "column": (("covariate,year", "covariat,year"), ("facts.csv:1", "'covariate'", "'covariat'")),
}  # fmt: skip


@pytest.mark.parametrize("case", FACTS)
def test_bad_facts(write: Write, case: str) -> None:
    spoiled, words = FACTS[case]
    text = complaint(write(facts=spoiled, panels=("", "")))
    for word in words:
        assert word in text, text


DECLARATIONS = {
    "unknown covariate": (("variables.poverty", "variables.povrty"), ("river.toml:", "povrty", "facts.csv", "'poverty'")),
    "sign": (("sign = -1", "sign = 0"), ("covariates.variables.order.sign", "1 (more", "got 0")),
    "sign true": (("sign = -1", "sign = true"), ("covariates.variables.order.sign", "got true")),
    "transform": (('"logit"', '"logt"'), ("covariates.variables.poverty.transform", "'logt'", "'logit'")),
    "full without logit": (('"logit"', '"log"'), ("covariates.variables.poverty.full", "'logit'", "'log'")),
    "limits": (("full = 100", "full = 100\nlower = 50\nupper = 30"), ("poverty.upper", "above lower (50)", "30")),
    "limit outside": (("full = 100", "full = 100\nupper = 130"), ("poverty.upper", "below 100", "130")),
    "value below lower": (("full = 100", "full = 100\nlower = 41"), ("facts.csv:2", "at least lower (41)", "got 40")),
    "window": (("table =", "window = 51\ntable ="), ("covariates.window", "at most 50", "51")),
    "key": (("table =", "windw = 5\ntable ="), ("covariates.windw", "unknown key", "'window'")),
    "no file": (('"facts.csv"', '"fact.csv"'), ("covariates.table", "no such file", "'facts.csv'")),
    "unit": (('"percent"', '"share"'), ("facts.csv:2: unit", "'share'", "'percent'")),
}  # fmt: skip


@pytest.mark.parametrize("case", DECLARATIONS)
def test_bad_declarations(write: Write, case: str) -> None:
    spoiled, words = DECLARATIONS[case]
    text = complaint(write(declared=spoiled, panels=("", "")))
    for word in words:
        assert word in text, text


COMPLETED = {
    "unknown origin": (("1,low lands", "1,lowlands"), ("panels.csv:5: origin", "'lowlands'", "'low lands'")),
    "unknown covariate": (("lands,order,0.1", "lands,oder,0.1"), ("panels.csv:5: covariate", "'oder'", "'order'")),
    "observed called imputed": (
        ("-0.5,0,2011,ledger", "-0.5,1,,"),
        ("panels.csv:4: imputed", "highlands, order", "observed in 2011", "simcore impute"),
    ),
    "imputed called observed": (("1,low lands,order,0.1,1,,", ",low lands,order,0.1,0,2011,"), ("panels.csv:5", "not observed")),
    "stale value": (("poverty,40,0", "poverty,41,0"), ("panels.csv:2: value", "41 of 2009", "40 of 2009", "simcore impute")),
    "other year": (("40,0,2009", "40,0,2013"), ("panels.csv:2: value", "of 2013", "of 2009", "simcore impute")),
    "no number": (("order,0.1", "order,x"), ("panels.csv:5: value", "'x'")),
    "empty": (("order,0.1", "order,"), ("panels.csv:5: value", "missing cell")),
    "flag": (("0.1,1,", "0.1,yes,"), ("panels.csv:5: imputed", "0 (observed) or 1 (imputed)", "'yes'")),
    "panel zero": (("1,low", "0,low"), ("panels.csv:5: panel", "from 1 to", "'0'")),
    "panel twice": (("2,low", "1,low"), ("panels.csv:6: panel", "panel 1", "twice")),
    "panel of an observed cell": ((",highlands,order", "1,highlands,order"), ("panels.csv:4: panel", "must be empty")),
    "observed twice": (("1,low lands,order,0.1,1,,", ",highlands,order,-0.5,0,2011,ledger"), ("panels.csv:5", "line 4")),
    "gap": (("2,low", "4,low"), ("panels.csv: panel: no panel 2", "low lands, order", "simcore impute")),
    "one panel": (
        ("2,low lands,order,-0.2,1,,\n3,low lands,order,0.3,1,,\n", ""),
        ("panels.csv: panel: 1 panel", "at least 2", "simcore impute"),
    ),
    "observed cell left out": ((",low lands,poverty,25,0,2011,census;ledger\n", ""), ("panels.csv", "low lands, poverty")),
    "imputed cell left out": ((PANELS[PANELS.index("1,low") :], ""), ("no imputed value of low lands, order",)),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPLETED)
def test_bad_panels(write: Write, case: str) -> None:
    spoiled, words = COMPLETED[case]
    text = complaint(write(panels=spoiled))
    for word in words:
        assert word in text, text


def test_panels_of_another_year(write: Write) -> None:
    """Seen from 2013 the value of 2013 is nearer than that of 2009."""
    path = write(panels=("", ""))
    text = complaint(path, "covariates.year=2013")
    assert "panels.csv:2: value" in text
    assert "observed is 44 of 2013" in text
    assert "simcore impute" in text


# --- the shipped scenarios --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "year", "missing"), [("phase1", 2005, 1), ("phase1_2020", 2020, 11)])
def test_shipped_covariates(name: str, year: int, missing: int) -> None:
    scenario = load_scenario(name)
    found = scenario.covariates
    assert found is not None
    assert scenario.document.covariates is not None
    assert found.values.shape == (20, 8, 12)
    assert int(found.imputed.sum()) == missing
    assert np.isfinite(found.transformed).all()
    near = found.years[~found.imputed]
    assert (np.abs(near - year) <= 3).all()
    for variable in scenario.document.covariates.variables.values():
        assert variable.label
        assert variable.unit
        assert variable.note


def test_shipped_figures() -> None:
    """Single figures read in the published tables: Mexico 2005."""
    found = load_scenario("phase1").covariates
    assert found is not None
    mexico = dict(zip(found.names, found.values[0, 4], strict=True))
    assert mexico["poverty"] == 48.4
    assert mexico["gdp_per_head"] == 9491.52
    assert mexico["net_migration"] < 0
    assert found.imputed[6, found.names.index("homicide")]  # Peru's figures begin in 2011
