"""Catalogues of sources: what a row says, how rows are put together, and what is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import ScenarioError
from simcore.scenario import load_scenario, scenario_from_embedded
from simcore.scenario.catalogue import POOLED, CatalogueRow, read_catalogue
from simcore.scenario.provenance import to_json

HEADER = "source_id,series,title,stages,points,countries,sexes,first_year,last_year,years_missing,access,grade\n"
GOOD = {
    "source_id": "ledger",
    "series": "crossings",
    "title": "Ledger of the ferry",
    "stages": "border;transit",
    "points": "village",
    "countries": "highlands;low lands;pooled",
    "sexes": "w",
    "first_year": "2001",
    "last_year": "2010",
    "years_missing": "2003, 2005-2006; low lands 2009-2010; pooled 2001",
    "access": "open_report",
    "grade": "measured",
}


def line(**changes: str) -> str:
    """One row of a catalogue, `GOOD` but for ``changes``."""
    return ",".join(f'"{cell}"' for cell in (GOOD | changes).values()) + "\n"


def write(river: Path, text: str, name: str = "catalogue.csv") -> Path:
    """Give the copied corridor a catalogue."""
    river.with_name(name).write_text(text)
    if "catalogue =" not in river.read_text():
        table = 'table = "river_sources.csv"'
        river.write_text(river.read_text().replace(table, f'{table}\ncatalogue = "{name}"'))
    return river


def only(river: Path) -> CatalogueRow:
    (row,) = read_catalogue(load_scenario(river))
    return row


def test_a_row(river_copy: Path) -> None:
    row = only(write(river_copy, HEADER + line()))
    assert (row.source, row.series, row.stages, row.points) == (
        "ledger", "crossings", ("border", "transit"), ("village",),
    )  # fmt: skip
    assert row.countries == ("highlands", "low lands")
    assert row.pooled
    assert row.sexes == ("w",)
    assert row.is_open
    assert list(row.years("highlands")) == [2001, 2002, 2004, 2007, 2008, 2009, 2010]
    assert list(row.years("low lands")) == [2001, 2002, 2004, 2007, 2008]
    assert list(row.years(POOLED)) == [2002, 2004, 2007, 2008, 2009, 2010]
    assert row.place.endswith("catalogue.csv:2")


def test_which_stations_a_row_informs(river_copy: Path) -> None:
    row = only(write(river_copy, HEADER + line()))
    assert row.informs(("border", ""))
    assert row.informs(("transit", ""))
    assert row.informs(("transit", "village"))
    assert not row.informs(("transit", "elsewhere"))
    assert not row.informs(("population", ""))


@pytest.mark.parametrize(
    ("country", "within", "expected"),
    [("highlands", 1, True), ("low lands", 2, False), ("low lands", 3, True), ("the islands", 50, False)],
)
def test_near_a_year(river_copy: Path, country: str, within: int, expected: bool) -> None:
    row = only(write(river_copy, HEADER + line()))
    assert row.covers(country, 2011, within) is expected  # low lands: last in 2008


def test_all_means_every_origin_of_the_scenario(river_copy: Path) -> None:
    row = only(write(river_copy, HEADER + line(countries="all", years_missing="")))
    assert row.countries == ("highlands", "low lands")
    assert not row.pooled


def test_sexes_together_are_not_told_apart(river_copy: Path) -> None:
    assert only(write(river_copy, HEADER + line(sexes="together"))).sexes == ()


def test_what_was_not_found_needs_no_years(river_copy: Path) -> None:
    row = only(write(river_copy, HEADER + line(access="not_found", first_year="", last_year="", years_missing="")))
    assert not row.is_open
    assert list(row.years("highlands")) == []
    assert not row.covers("highlands", 2011, 100)


def test_a_patch_adds_and_replaces(river_copy: Path) -> None:
    write(river_copy, HEADER + line() + line(series="fares"))
    patch = river_copy.with_name("river_patch.toml")
    patch.write_text(patch.read_text() + '\n[sources]\ncatalogue = ["more.csv", "most.csv"]\n')
    river_copy.with_name("more.csv").write_text(HEADER + line(title="A better ledger") + line(source_id="diary"))
    river_copy.with_name("most.csv").write_text(HEADER + line(source_id="map"))
    rows = read_catalogue(load_scenario(patch))
    assert [(row.source, row.series, row.title) for row in rows] == [
        ("ledger", "crossings", "A better ledger"),
        ("ledger", "fares", "Ledger of the ferry"),
        ("diary", "crossings", "Ledger of the ferry"),
        ("map", "crossings", "Ledger of the ferry"),
    ]
    assert len(read_catalogue(load_scenario(river_copy))) == 2


def test_a_patch_can_drop_the_catalogue_of_its_base(river_copy: Path) -> None:
    write(river_copy, HEADER + line())
    patch = river_copy.with_name("river_patch.toml")
    patch.write_text(patch.read_text().replace("remove = [", 'remove = ["sources.catalogue", '))
    assert read_catalogue(load_scenario(patch)) == []


def test_rows_may_speak_of_what_a_patch_took_away(river_copy: Path) -> None:
    write(river_copy, HEADER + line())
    patch = river_copy.with_name("small.toml")
    patch.write_text(
        'base = "river.toml"\nname = "small"\ncohort_year = 2011\n'
        'remove = ["strata.origin.highlands", "transit.entry.highlands", "transit.legs.ferry.returned_to.home"]\n'
    )
    (row,) = read_catalogue(load_scenario(patch))
    assert row.covers("low lands", 2011, 3)


def test_a_catalogue_is_no_part_of_what_is_computed(river_copy: Path) -> None:
    scenario = load_scenario(write(river_copy, HEADER + line()))
    write(river_copy, HEADER + line(title="Another title"))
    again = load_scenario(river_copy)
    assert again.digest == scenario.digest
    assert "catalogue.csv" not in scenario.tables
    stored = scenario_from_embedded(to_json(scenario.resolved), scenario.tables)
    assert read_catalogue(stored) == []  # it lies beside the file, not in the results


WRONG = {
    "stage": ({"stages": "bordr"}, "stages: unknown stage 'bordr'; did you mean 'border'?"),
    "no stage": ({"stages": ""}, "stages: a missing cell"),
    "point": ({"points": "vilage"}, "points: unknown journey point 'vilage'; did you mean 'village'?"),
    "point elsewhere": (
        {"stages": "at_risk"},
        "points: go with the stage transit or border, got at_risk",
    ),
    "country": ({"countries": "highland"}, "countries: unknown country 'highland'; did you mean 'highlands'?"),
    "far country": (
        {"countries": "Mars"},
        "countries: unknown country 'Mars' (known: highlands, low lands, all, pooled)",
    ),
    "sex": ({"sexes": "x"}, "sexes: unknown sex 'x' (known: w, m, together)"),
    "both ways": ({"sexes": "w;together"}, "sexes: together stands alone, got w;together"),
    "order": ({"first_year": "2011"}, "last_year: must not be below first_year (2011), got 2010"),
    "half a pair": (
        {"last_year": ""},
        "last_year: a missing cell: an open source needs the years it covers, and years come as a pair",
    ),
    "no number": ({"first_year": "old"}, "first_year: must be a finite number, got 'old'"),
    "year": ({"last_year": "20010"}, "last_year: must be a year from 1 to 9999, got 20010"),
    "access": (
        {"access": "open"},
        "access: unknown access 'open' (known: open_download, open_report, restricted, not_found)",
    ),
    "grade": ({"grade": "measurd"}, "grade: unknown grade 'measurd'; did you mean 'measured'?"),
    "missing text": (
        {"years_missing": "some"},
        "years_missing: must be years such as '2001, 2003-2005' or 'MEX 2001', got 'some'",
    ),
    "missing country": (
        {"years_missing": "lowlands 2005"},
        "years_missing: unknown country 'lowlands'; did you mean 'low lands'?",
    ),
    "missing outside": (
        {"years_missing": "1999"},
        "years_missing: must be years in order, within those covered (2001 to 2010), got 1999",
    ),
    "missing backwards": (
        {"years_missing": "2005-2003"},
        "years_missing: must be years in order, within those covered (2001 to 2010), got 2005-2003",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows(river_copy: Path, case: str) -> None:
    changes, expected = WRONG[case]
    write(river_copy, HEADER + line(series="first") + line(**changes))
    with pytest.raises(ScenarioError) as caught:
        read_catalogue(load_scenario(river_copy))
    assert str(caught.value) == f"{river_copy.with_name('catalogue.csv')}:3: {expected}"


def test_a_row_twice(river_copy: Path) -> None:
    write(river_copy, HEADER + line() + line())
    with pytest.raises(ScenarioError) as caught:
        read_catalogue(load_scenario(river_copy))
    assert str(caught.value).endswith("catalogue.csv:3: source_id: ledger, series 'crossings' is also in line 2")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("countries", "contries", "missing column 'countries'; did you mean 'contries'?"),
        ("years_missing", "years_mising", "unknown column 'years_mising'; did you mean 'years_missing'?"),
    ],
)  # fmt: skip
def test_wrong_columns(river_copy: Path, old: str, new: str, expected: str) -> None:
    write(river_copy, HEADER.replace(old, new) + line())
    with pytest.raises(ScenarioError) as caught:
        read_catalogue(load_scenario(river_copy))
    assert str(caught.value).endswith(f"catalogue.csv:1: {expected}")


def test_an_absent_table_names_the_line_that_names_it(river_copy: Path) -> None:
    write(river_copy, HEADER + line())
    river_copy.with_name("catalogue.csv").rename(river_copy.with_name("catalog.csv"))
    with pytest.raises(ScenarioError) as caught:
        read_catalogue(load_scenario(river_copy))
    text = str(caught.value)
    assert text.startswith(f"{river_copy}:30: sources.catalogue: no such file")
    assert "did you mean 'catalog.csv'?" in text
