"""Several cohorts as one study: what is run, what is kept, and how cohorts are compared."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from analysis.cohorts.command_line import cohorts
from analysis.cohorts.comparison import Comparison, Step, compare_cohorts
from analysis.cohorts.members import Member, members_by_year, members_of
from analysis.cohorts.study import INDEX, Study, StudyInterrupted, open_study, read_study, run_members
from simcore.errors import ResultsError, ScenarioError, UserError
from simcore.runner.blocks import BLOCK_ROWS
from simcore.runner.identity import IDENTITY
from simcore.scenario import Scenario, load_scenario
from simcore.store import open_results
from simcore.store.comparing import compare_results
from tests.conftest import ROOT

RIVER = ROOT / "tests" / "scenarios" / "river.toml"
REPLICATES = 400
OPTIONS: dict[str, Any] = {"engine": "agent", "walker": "collapsed", "replicates": REPLICATES}
LATER = ("cohort_year=2012", "population.year=2011")
STRICT = "parameters.guard_factor.distribution.value=3"

app = typer.Typer()
app.command()(cohorts)
runner = CliRunner()


def river(name: str, *settings: str) -> Scenario:
    return load_scenario(RIVER, settings=(f"name='{name}'", *settings))


def pair() -> tuple[Member, ...]:
    return members_of([river("calm"), river("strict", STRICT, *LATER)])


def make(folder: Path, members: tuple[Member, ...], options: dict[str, Any] | None = None, seed: int = 5) -> Study:
    study = open_study(folder, members, seed, OPTIONS if options is None else options, 0)
    run_members(study, members, threads=1)
    return study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "rivers"
    make(path, pair())
    return path


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return compare_cohorts(read_study(folder))


@pytest.fixture
def yearless(tmp_path: Path) -> Path:
    """The river with a population table of one year that does not say which."""
    for name in ("river.toml", "river_sources.csv"):
        shutil.copy(RIVER.with_name(name), tmp_path)
    header, *lines = RIVER.with_name("river_population.csv").read_text().splitlines()
    place = header.split(",").index("year")
    rows = [line.split(",") for line in lines]
    kept = [header.split(","), *(cells for cells in rows if cells[place] == "2011")]
    text = "\n".join(",".join(cells[:place] + cells[place + 1 :]) for cells in kept)
    (tmp_path / "river_population.csv").write_text(text + "\n")
    return tmp_path / "river.toml"


def loading(path: Path) -> Callable[[Any], Scenario]:
    return lambda settings: load_scenario(path, settings=settings)


def step(comparison: Comparison, quantity: str) -> Step:
    return next(each for each in comparison.steps if each.quantity == quantity)


def values(folder: Path, name: str) -> np.ndarray:
    """Arrivals of every replicate, read from the file."""
    with open_results(folder / f"{name}.h5") as results:
        place = results.labels("absorbing").index("on the far bank")
        return results.read("outcome")[:, place]


# Members ----------------------------------------------------------------------------------------------------------


def test_one_scenario_at_two_years() -> None:
    members = members_by_year(loading(RIVER), [2011, 2006])
    assert [(member.name, member.cohort_year, member.file) for member in members] == [
        ("river-2011", 2011, "river-2011.h5"),
        ("river-2006", 2006, "river-2006.h5"),
    ]
    own, other = (member.scenario for member in members)
    assert np.array_equal(own.population, load_scenario(RIVER).population)
    assert np.array_equal(other.population, load_scenario(RIVER, settings=["population.year=2006"]).population)
    assert not np.array_equal(own.population, other.population)
    assert own.document.title == load_scenario(RIVER).document.title
    assert other.document.title == f"{own.document.title} (population of 2006)"


def test_a_year_that_the_table_has_not() -> None:
    with pytest.raises(ScenarioError, match=r"no rows of the year 2015 \(it has 2006, 2011\)$"):
        members_by_year(loading(RIVER), [2011, 2015])


def test_covariates_stay_those_of_the_scenario() -> None:
    """Only the population and the cohort year change; otherwise panels of another year would be needed."""
    members = members_by_year(lambda settings: load_scenario("phase1", settings=settings), [2005, 2020])
    assert [member.cohort_year for member in members] == [2005, 2020]
    assert members[1].scenario.population.sum() == load_scenario("phase1_2020").population.sum()


def test_a_population_without_years(tiny: Scenario, yearless: Path) -> None:
    with pytest.raises(UserError, match="has no column 'year'"):
        members_by_year(loading(yearless), [2011])
    with pytest.raises(UserError, match="a list of cells, which has no years"):
        members_by_year(lambda settings: tiny, [2000])
    with pytest.raises(UserError, match="--year 2011: given twice"):
        members_by_year(loading(RIVER), [2011, 2011])


def test_two_members_of_one_name() -> None:
    with pytest.raises(UserError, match="calm: two members of the study have this name"):
        members_of([river("calm"), river("calm", STRICT)])


# Studies ----------------------------------------------------------------------------------------------------------


def test_index_says_what_and_with_which_seed(folder: Path) -> None:
    content = json.loads((folder / INDEX).read_text())
    assert (content["seed"], content["options"]) == ("5", OPTIONS)
    for entry in content["members"]:
        with open_results(folder / entry["file"]) as results:
            assert results.attributes["scenario_digest"] == entry["scenario_digest"]
            assert results.attributes["seed"] == content["seed"]
            assert (entry["status"], entry["replicates"]) == ("complete", results.replicates)


def test_finished_members_are_not_run_again(folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    seen: list[tuple[str, bool]] = []
    members = pair()
    study = open_study(folder, members, None, OPTIONS, 99)
    run_members(study, members, threads=1, begin=lambda number, entry, there: seen.append((entry.name, there)))
    assert seen == [("calm", True), ("strict", True)]
    assert study.seed == 5
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5")} == before


def test_members_can_be_added(tmp_path: Path) -> None:
    """The first is left as it is, and cohorts stand by year."""
    late, early = members_of([river("late", *LATER)]), members_of([river("early")])
    make(tmp_path / "study", late)
    study = make(tmp_path / "study", early)
    assert [entry.name for entry in read_study(study.folder).finished] == ["early", "late"]


@pytest.mark.parametrize(
    ("options", "seed", "message"),
    [
        (OPTIONS, 6, "holds a study with seed = 5, asked for was 6"),
        ({**OPTIONS, "replicates": 8}, 5, "holds a study with replicates = 400, asked for was 8"),
        ({**OPTIONS, "engine": "cohort"}, 5, "holds a study with engine = agent, asked for was cohort"),
    ],
)
def test_another_study_in_the_folder(folder: Path, options: dict[str, Any], seed: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_study(folder, pair(), seed, options, 0)


def test_a_study_without_results_may_be_another(tmp_path: Path) -> None:
    """Nothing is lost; only the seed that was drawn for it is kept."""
    open_study(tmp_path / "study", pair(), None, OPTIONS, 77)
    other = {**OPTIONS, "replicates": 8}
    study = open_study(tmp_path / "study", pair()[:1], None, other, 0)
    assert (study.seed, study.options, [entry.name for entry in study.entries]) == (77, other, ["calm"])


def test_a_scenario_that_changed(folder: Path) -> None:
    changed = members_of([river("calm", STRICT)])
    with pytest.raises(UserError, match="'calm' is another scenario there"):
        open_study(folder, changed, 5, OPTIONS, 0)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    for name, message in (
        ("full", "is not empty and holds no study"),
        ("file", "is not a folder"),
        ("no/where", "there is no folder"),
    ):
        with pytest.raises(UserError, match=message):
            open_study(tmp_path / name, pair(), 5, OPTIONS, 0)
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"


ONE_MEMBER = (
    '{"filetype": "simcore-cohorts", "version": 1, "seed": "%s", "options": {}, "begun_utc": "", "members": [{'
    '"name": "a", "scenario": "a", "title": "", "cohort_year": %s, "scenario_digest": %s, "file": "a.h5"}]}'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("{}", "is damaged"),
        ('{"filetype": "other"}', "is the index of something else"),
        ('{"filetype": "simcore-cohorts", "version": 9}', "written by a newer simcore: version 9"),
        (
            '{"filetype": "simcore-cohorts", "version": 1, "seed": "1", "options": {}, "begun_utc": "", "members": [{'
            '"name": "a", "scenario": "a", "title": "", "cohort_year": 1, "scenario_digest": "", "file": "../a.h5"}]}',
            "leads out of the folder",
        ),
        (ONE_MEMBER % ("1", '"x"', '"d"'), r"is damaged: TypeError members\[0\].cohort_year is 'x'"),
        (ONE_MEMBER % ("1", "2005", "7"), r"is damaged: TypeError members\[0\].scenario_digest is 7"),
        (ONE_MEMBER % ("-1", "2005", '"d"'), "is damaged: ValueError seed -1"),
    ],
)
def test_index_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_study(tmp_path)


def test_interrupt_keeps_finished_members(tmp_path: Path, folder: Path) -> None:
    """The member at work is left out; the same command goes on, and the end is that of an uninterrupted study."""
    members = pair()
    at_work: list[str] = []

    def interrupt(state: object) -> None:
        if at_work[-1] == "strict":
            raise KeyboardInterrupt

    study = open_study(tmp_path / "study", members, 5, OPTIONS, 0)
    with pytest.raises(StudyInterrupted) as stop:
        run_members(
            study,
            members,
            threads=1,
            begin=lambda number, entry, there: at_work.append(entry.name),
            progress=interrupt,
        )
    assert stop.value.member == "strict"
    assert [entry.name for entry in read_study(study.folder).finished] == ["calm"]
    again = make(study.folder, members)
    assert len(again.finished) == 2
    assert sorted(path.name for path in study.folder.iterdir()) == ["calm.h5", "strict.h5", INDEX]
    for name in ("calm", "strict"):
        assert np.array_equal(values(study.folder, name), values(folder, name))


LONG: dict[str, Any] = {**OPTIONS, "replicates": 2 * BLOCK_ROWS + 77}


class Killed(BaseException):
    """Ends a run as a kill would: nobody tidies up but the folder of the unfinished run stays."""


def stopped(folder: Path, members: tuple[Member, ...], stop: BaseException) -> Study:
    """A study of one member of three blocks that ended when the first one was safe."""
    study = open_study(folder, members, 5, LONG, 0)
    raised: list[BaseException] = []

    def progress(state: object) -> None:
        if not raised and list(folder.glob("*.parts/shard-*.blocks")):
            raised.append(stop)  # a second interrupt would stop at once
            raise stop

    with pytest.raises((StudyInterrupted, Killed)):
        run_members(study, members, threads=1, progress=progress)
    return study


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Killed()], ids=["interrupted file", "killed"])
def test_a_member_is_gone_on_with(tmp_path: Path, stop: BaseException) -> None:
    members = members_of([river("calm")])
    study = stopped(tmp_path / "study", members, stop)
    left = {"calm.h5"} if isinstance(stop, KeyboardInterrupt) else {"calm.h5.parts"}
    assert {path.name for path in study.folder.iterdir()} == {INDEX} | left
    assert read_study(study.folder).finished == []

    stored: list[int] = []
    there: list[bool] = []
    study = open_study(study.folder, members, None, LONG, 0)
    run_members(
        study,
        members,
        threads=1,
        begin=lambda number, entry, whole: there.append(whole),
        progress=lambda state: stored.append(state.replicates_stored),
    )
    assert there == [False]
    assert stored[-1] >= BLOCK_ROWS, "nothing was gone on with"
    assert {path.name for path in study.folder.iterdir()} == {INDEX, "calm.h5"}
    assert [entry.replicates for entry in read_study(study.folder).finished] == [LONG["replicates"]]
    whole = make(tmp_path / "whole", members, LONG)
    with open_results(study.path(study.entries[0])) as one, open_results(whole.path(whole.entries[0])) as other:
        assert compare_results(one, other, attributes=IDENTITY) == []
        assert len(one.attributes["history"]) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Killed()], ids=["interrupted file", "killed"])
@pytest.mark.parametrize(
    ("change", "key"), [({"replicates": 500}, "requested_replicates"), ({"engine": "cohort"}, "engine")]
)
def test_unfinished_blocks_are_not_taken_for_those_of_another_wish(
    tmp_path: Path, stop: BaseException, change: dict[str, Any], key: str
) -> None:
    members = members_of([river("calm")])
    study = stopped(tmp_path / "study", members, stop)
    other = open_study(study.folder, members, None, {**LONG, **change}, 0)
    with pytest.raises(ResultsError, match=rf"another run.*\({key} differs: |of this run, asked for 500: nothing"):
        run_members(other, members, threads=1)
    back = make(study.folder, members, LONG)  # nothing was lost
    assert len(back.finished) == 1


# Comparison -------------------------------------------------------------------------------------------------------


def test_differences_are_taken_replicate_by_replicate(folder: Path, comparison: Comparison) -> None:
    first, second = values(folder, "calm"), values(folder, "strict")
    apart = (second - first).astype(float)
    found = step(comparison, "arrived")
    assert found.paired
    assert found.mean.estimate == pytest.approx(apart.mean())
    assert found.mean.mcse == pytest.approx(apart.std(ddof=1) / math.sqrt(REPLICATES))
    assert found.median.estimate == pytest.approx(np.median(apart))
    assert found.interval is not None
    np.testing.assert_allclose(tuple(found.interval), np.quantile(apart, [0.05, 0.95]))
    assert found.variance_ratio == pytest.approx(apart.var(ddof=1) / (first.var(ddof=1) + second.var(ddof=1)))
    ratios = second[first > 0] / first[first > 0]
    assert found.ratio is not None
    assert found.ratio.estimate == pytest.approx(np.median(ratios))


def test_common_random_numbers(comparison: Comparison) -> None:
    """Stricter guards act on the way only: who is trafficked and bound is the same, person by person.

    Power: at 400 replicates the paired difference of the arrivals stands out at more than 4.5 standard errors, and it
    would not if the runs were independent.
    """
    for quantity in ("trafficked", "bound"):
        found = step(comparison, quantity)
        assert (found.mean.estimate, found.mean.mcse, found.variance_ratio) == (0.0, 0.0, 0.0)
    arrived = step(comparison, "arrived")
    assert arrived.mean.estimate < -4.5 * arrived.mean.mcse
    alone = [column.summary["arrived"].mean.mcse for column in comparison.columns]
    assert abs(arrived.mean.estimate) < 4.5 * math.hypot(*alone)


def test_counts_do_not_pair(tmp_path: Path) -> None:
    study = make(tmp_path / "study", pair(), {**OPTIONS, "engine": "cohort"})
    found = compare_cohorts(study)
    arrived = step(found, "arrived")
    assert not arrived.paired
    assert "counts keep no identity" in arrived.reason
    one, other = (column.summary["arrived"].mean for column in found.columns)
    assert arrived.mean.estimate == pytest.approx(other.estimate - one.estimate)
    assert arrived.mean.mcse == pytest.approx(math.hypot(one.mcse, other.mcse))
    assert (arrived.interval, arrived.ratio) == (None, None)


def test_nested_runs_pair_by_parameter_set(tmp_path: Path) -> None:
    """The error of the mean difference is that of the means of 20 parameter sets."""
    study = make(tmp_path / "study", pair(), {"engine": "agent", "walker": "collapsed", "nested": [20, 10]})
    found = step(compare_cohorts(study), "arrived")
    apart = values(study.folder, "strict") - values(study.folder, "calm")
    of_sets = apart.reshape(20, 10).mean(axis=1)
    assert found.mean.mcse == pytest.approx(of_sets.std(ddof=1) / math.sqrt(20))


def test_index_and_files_must_agree(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "study")
    shutil.copy(folder / "calm.h5", tmp_path / "study" / "strict.h5")
    with pytest.raises(ResultsError, match=r"strict\.h5: holds another scenario than the index"):
        compare_cohorts(read_study(tmp_path / "study"))


# The verb ---------------------------------------------------------------------------------------------------------


def test_verb_runs_and_shows(tmp_path: Path) -> None:
    target, figure = tmp_path / "study", tmp_path / "cohorts.png"
    years = ["--year", "2011", "--year", "2006"]
    result = runner.invoke(app, [str(RIVER), *years, "-n", "200", "-o", str(target), "--figure", str(figure)])
    assert result.exit_code == 0, result.output
    assert "member 2 of 2: river-2006" in result.stderr
    assert "river-2006 -> river-2011" in result.stdout
    assert "Only the population and the cohort year change" in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    seed = json.loads((target / INDEX).read_text())["seed"]
    again = runner.invoke(app, [str(RIVER), *years, "-n", "200", "-o", str(target), "--json"])
    assert again.exit_code == 0, again.output
    assert f"seed {seed}" in again.stderr
    assert again.stderr.count("there already") == 2
    shown = runner.invoke(app, [str(target), "--show", "--json"])
    assert json.loads(shown.stdout) == json.loads(again.stdout)
    assert json.loads(shown.stdout)["only_population_and_cohort_year_differ"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([str(RIVER), "-o", "study"], "give either -n REPLICATES or --nested"),
        ([str(RIVER), "-n", "5"], "give --output FOLDER"),
        ([str(RIVER), "-n", "0", "-o", "study"], "-n 0: must be a whole number from 1"),
        ([str(RIVER), str(RIVER), "-n", "5", "-o", "study"], "river: two members of the study have this name"),
        ([str(RIVER), "phase1", "-n", "5", "-o", "study", "--year", "2005"], "--year 2005: goes with one scenario"),
        ([str(RIVER), "-n", "5", "-o", "study", "--year", "x"], "--year x: must be a whole number from 1 to 9999"),
        (
            [str(RIVER), "-n", "5", "-o", "study", "--engine", "agents"],
            "--engine agents: unknown; did you mean 'agent'",
        ),
        (
            [str(RIVER), "-n", "5", "-o", "study", "--engine", "cohort", "--walker", "leg-by-leg"],
            "--engine cohort --walker leg-by-leg: counts are moved",
        ),
        (["nowhere", "--show"], "nowhere: there is no such folder"),
        (["a", "b", "--show"], "--show: must be given one folder, got 2"),
        (["a", "--show", "-n", "5"], "--show -n: a study is shown as it is"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, arguments)
    assert isinstance(result.exception, UserError), result.output
    assert str(result.exception).startswith(message)
    assert "\n" not in str(result.exception)
    assert not list(tmp_path.iterdir())
