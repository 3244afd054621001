"""A scenario with any number of origins, for the curve over origins: phase1's journeys out of the Andean countries."""

from __future__ import annotations

from pathlib import Path

ORIGINS = ("COL", "ECU", "SLV", "GTM", "MEX", "NIC", "PER", "VEN")  # of phase1
RULES_OF_OTHERS = (
    "groups.origin.central_america",
    "groups.origin.mexico",
    "destinations.split.mexico",
    "destinations.split.central_america",
    "transit.entry.guatemala",
    "transit.entry.mexico",
    "transit.reattempt.mexico",
    "transit.reattempt.central_america",
    "transit.branches.ORIGIN.central_america",
    "transit.legs.origin_hub",
    "transit.legs.north_zone.returned_to.mexico",
    "transit.legs.between_poe.returned_to.mexico",
    "transit.legs.at_poe.returned_to.mexico",
)
PARAMETERS_OF_OTHERS = (
    "destination_mexico",
    "destination_central_america",
    "reattempt_mexico",
    "reattempt_central_america",
)
AGE_BANDS = ("0-11", "12-17", "18-24", "25-39", "40+")
PERSONS = 2_000_000  # in a cell


def write_scenario(folder: Path, number: int) -> Path:
    """Write a scenario with ``number`` origins, all with the same population, into ``folder``; return its path."""
    names = [f"O{i:02d}" for i in range(1, number + 1)]
    removed = [f"strata.origin.{name}" for name in ORIGINS]
    removed += [*RULES_OF_OTHERS, "population.table", "population.year", "covariates", "design"]
    removed += [f"parameters.{name}" for name in PARAMETERS_OF_OTHERS]
    cells = [
        f'  {{ origin = "{name}", sex = "{sex}", age_band = "{age}", persons = {PERSONS} }},'
        for name in names
        for sex in ("female", "male")
        for age in AGE_BANDS
    ]
    lines = [
        "schema_version = 1",
        'base = "phase1"',
        f'name = "origins_{number}"',
        f'title = "{number} origins of equal size, for timing"',
        f"remove = {list(removed)!r}".replace("'", '"'),
        "[population]",
        'grade = "illustrative"',
        "cells = [",
        *cells,
        "]",
        "[groups.origin]",
        f"andean = {names!r}".replace("'", '"'),
        "[strata.origin]",
        *(f"{name} = {{}}" for name in names),
    ]
    path = folder / f"origins_{number}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
