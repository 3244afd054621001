"""Scenarios of the statistical tests: crowds just large enough to move as counts, so that chance remains visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simcore.scenario import Scenario
from tests.conftest import FIXTURES, ROOT, load, one_cell

# Golden fixture: 768 persons pay. Tiny: 1,344 bound persons of each exploitation do; 3,000,000 persons give 2,000.
GOLDEN_PERSONS, TINY_PERSONS = 800, 3_000_000
GOLDEN_SPLITS = {
    "1": {"CONTINUE": 0.90, "INTERCEPTED": 0.05, "ASSISTED": 0.01, "ESCAPED": 0.02, "DIED": 0.005, "RETAINED": 0.015},
    "2": {"CONTINUE": 0.75, "INTERCEPTED": 0.20, "ASSISTED": 0.01, "ESCAPED": 0.02, "DIED": 0.005, "RETAINED": 0.015},
    "3": {"CONTINUE": 0.80, "INTERCEPTED": 0.10, "ASSISTED": 0.02, "ESCAPED": 0.03, "DIED": 0.010, "RETAINED": 0.040},
    "4": {"CONTINUE": 0.55, "INTERCEPTED": 0.40, "ASSISTED": 0.02, "ESCAPED": 0.01, "DIED": 0.010, "RETAINED": 0.010},
}


def golden(*settings: str, persons: int = GOLDEN_PERSONS) -> Scenario:
    """Four nodes in a row, retries with memory; everybody is bound."""
    return load(FIXTURES / "golden.toml", one_cell(persons), *settings)


def golden_of_origins(persons: Mapping[str, int], *settings: str) -> Scenario:
    """The golden fixture with several strata, one for each origin, of which ``ONE`` is the first."""
    levels = ", ".join(f"{origin} = {{}}" for origin in persons)
    cells = ", ".join(
        f'{{origin = "{origin}", sex = "all", age_band = "all", persons = {number}}}'
        for origin, number in persons.items()
    )
    places = [f"strata.origin = {{{levels}}}", f"population.cells = [{cells}]"]
    return load(FIXTURES / "golden.toml", *places, *settings)


def tiny(*settings: str) -> Scenario:
    """Source zone, forks and three attempts; two exploitations that differ on two legs."""
    return load(FIXTURES / "tiny.toml", one_cell(TINY_PERSONS), *settings)


def bound_tiny() -> Scenario:
    """The forks and legs of `tiny` for 1,500 persons of the first exploitation, everybody bound."""
    certain = {"at_risk_share_S": 1, "at_risk_share_L": 0, "event_hazard_S": 50}
    settings = [f"parameters.{name}.distribution.value = {value}" for name, value in certain.items()]
    way = "parameters.destination.distribution.shares = {US_SWB = 1, US_OTHER = 0, FOREIGN = 0, DOMESTIC = 0}"
    return load(FIXTURES / "tiny.toml", one_cell(1500), *settings, way)


def river() -> Scenario:
    """Parameters that vary, an effect shared by the persons of an origin and year, strata that merge."""
    return load(ROOT / "tests" / "scenarios" / "river.toml", "parameters.count_factor.distribution.median = 100")


def phase1() -> Scenario:
    """The shipped scenario, with so many persons that most of them move as counts."""
    from simcore.scenario import load_scenario

    return load_scenario("phase1", settings=["parameters.population_factor.distribution.median = 20"])


def with_split(leg: str, shares: Mapping[str, float]) -> str:
    """Return the setting that gives a leg of the golden fixture other probabilities."""
    inside = ", ".join(f"{name} = {share!r}" for name, share in shares.items())
    return f"parameters.split_{leg}.distribution.shares = {{{inside}}}"


def scaled_continue(leg: str, factor: float) -> dict[str, float]:
    """Return a leg's probabilities with that of continuing multiplied, the others filling up in proportion."""
    shares = GOLDEN_SPLITS[leg]
    go_on = shares["CONTINUE"] * factor
    rest = (1.0 - go_on) / (1.0 - shares["CONTINUE"])
    return {name: go_on if name == "CONTINUE" else share * rest for name, share in shares.items()}


def parameter(name: str, value: float) -> str:
    """Return the setting that declares a fixed parameter."""
    return (
        f"parameters.{name} = {{distribution = {{family = 'fixed', value = {value!r}}}, unit = 'factor', "
        "grade = 'illustrative'}"
    )


def factor_of(origins: Sequence[str], value: float, causes: Sequence[str] | None = None) -> list[str]:
    """Return the settings that multiply hazards of some origins on all legs."""
    name = "factor_" + "_".join(origins)
    of_causes = "" if causes is None else f", causes = {list(causes)!r}"
    where = f"{{where = {{origin = {list(origins)!r}}}{of_causes}, factor = '{name}'}}"
    return [parameter(name, value), f"transit.modifiers.{name} = {where}"]
