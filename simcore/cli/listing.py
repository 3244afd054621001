"""`simcore list`: the scenarios that can be run by name."""

from __future__ import annotations

from pathlib import Path

from simcore.cli.arguments import Json
from simcore.cli.terminal import show, show_json, table, talk
from simcore.errors import UserError


def _cohort_year(path: Path) -> int | None:
    """Return the cohort year that a scenario file states, else that of its base; None if neither can be read."""
    from simcore.scenario.finding import find_scenario, read_toml_text, shown_path
    from simcore.scenario.reading import parse_toml

    for _ in range(20):  # bases of bases; a file that is its own base is found out when it is loaded
        try:
            data = parse_toml(read_toml_text(path, shown_path(path)), shown_path(path))
            if "cohort_year" in data or "base" not in data:
                year = data.get("cohort_year")
                return year if isinstance(year, int) else None
            path = find_scenario(str(data["base"]), beside=path.parent)
        except UserError:
            return None
    return None


def list_verb(as_json: Json = False) -> None:
    """List the scenarios that can be run by name."""
    from simcore.cli.elsewhere import refuse_shadows
    from simcore.scenario import list_scenarios

    refuse_shadows("simcore.scenarios")
    found = [
        {"name": known.name, "title": known.title, "cohort_year": _cohort_year(known.path), "path": str(known.path)}
        for known in list_scenarios()
    ]
    if as_json:
        show_json(found)
        return
    if not found:
        talk("no scenarios are installed; give the path of a TOML file instead of a name")
    show(
        table(
            ["name", "title", "cohort year", "path"],
            [[str(row["name"]), str(row["title"]), str(row["cohort_year"] or "-"), str(row["path"])] for row in found],
            right=["cohort year"],
        )
    )
