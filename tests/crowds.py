"""Populations large enough that crowds move as counts, for scenarios whose own are too small for that."""

from __future__ import annotations

from collections.abc import Mapping


def maze_cells(persons: Mapping[tuple[str, str, str], float]) -> str:
    """Return the setting that gives the maze's cells so many persons, and none to those that are left out."""
    cells = (
        f'{{origin = "{origin}", sex = "{sex}", age_band = "{band}", persons = {persons.get((origin, sex, band), 0)}}}'
        for origin in ("north", "south", "far east")
        for sex in ("u", "v")
        for band in ("child", "adult")
    )
    return f"population.cells = [{', '.join(cells)}]"


# Large cells, in which crowds move as counts, beside small ones, in which agents walk.
MAZE_CELLS = maze_cells(
    {
        ("north", "u", "child"): 300, ("north", "v", "child"): 222, ("north", "v", "adult"): 90_000,
        ("south", "u", "child"): 1, ("south", "u", "adult"): 2_000_000, ("south", "v", "child"): 17,
        ("south", "v", "adult"): 505, ("far east", "u", "child"): 77, ("far east", "u", "adult"): 9_000,
        ("far east", "v", "child"): 40, ("far east", "v", "adult"): 300_000_000,
    }
)  # fmt: skip
FEW_LARGE_MAZE_CELLS = maze_cells(
    {("north", "v", "adult"): 3_000_000, ("south", "u", "adult"): 3_000_000, ("far east", "u", "adult"): 3_000_000}
)
