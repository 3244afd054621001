"""Options ``--design`` and ``--randomisation``: what is rounded, refused, stored and shown."""

from __future__ import annotations

import json

import pytest

from simcore.store import open_results
from tests.unit.cli.conftest import TINY, Call


def test_sobol_is_rounded_up_with_a_message_and_shown(simcore: Call) -> None:
    done = simcore("run", TINY, "-n", "100", "--design", "sobol", "--randomisation", "2", "-s", "1", "-o", "o.h5")
    assert done.exit_code == 0, done.output
    assert "-n 100: the design sobol needs a power of two, so 100 parameter sets became 128" in done.stderr
    assert "became" not in done.stdout
    with open_results("o.h5") as results:
        assert (results.replicates, results.attributes["design"], results.attributes["randomisation"]) == (
            128,
            "sobol",
            2,
        )
    attributes = json.loads(simcore("info", "o.h5", "--json").stdout)["attributes"]["Run"]
    assert (attributes["design"], attributes["randomisation"]) == ("sobol", 2)
    summary = simcore("summary", "o.h5").stdout
    assert "design sobol (randomisation 2)" in " ".join(summary.split())
    assert "an error from plain sampling is too large here" in " ".join(summary.split())


def test_a_random_run_says_nothing_about_designs(simcore: Call) -> None:
    assert simcore("run", TINY, "-n", "16", "-s", "1", "-o", "o.h5").exit_code == 0
    assert "design" not in simcore("summary", "o.h5").stdout


def test_nested_rounds_the_parameter_sets_only(simcore: Call) -> None:
    done = simcore("run", TINY, "--nested", "5x3", "--design", "sobol", "-s", "1", "-o", "o.h5")
    assert done.exit_code == 0, done.output
    assert "--nested 5x3: the design sobol needs a power of two, so 5 parameter sets became 8" in done.stderr
    with open_results("o.h5") as results:
        assert list(results.nested) == [8, 3]


def test_expected_takes_a_design(simcore: Call) -> None:
    done = simcore("expected", TINY, "-n", "30", "--design", "sobol", "--randomisation", "1", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert (data["parameter_sets"], data["design"], data["randomisation"]) == (32, "sobol", 1)
    assert simcore("expected", TINY, "-n", "30", "--design", "lhs").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", TINY, "-n", "8", "--design", "sobl"), "--design sobl: unknown; did you mean 'sobol'"),
        (("run", TINY, "-n", "8", "--randomisation", "1"), "--randomisation 1 --design random: the random design has"),
        (
            ("run", TINY, "-n", "8", "--design", "lhs", "--randomisation", "x"),
            "--randomisation x: must be a whole number",
        ),
        (("run", TINY, "-n", "1", "--design", "lhs"), "-n 1 --design lhs: needs at least 2 parameter sets"),
        (("run", TINY, "-n", "8", "--design", "lhs", "--until", "arrived mcse<=1"), "--design lhs: a rule counts"),
        (("run", TINY, "-n", "4294967295", "--design", "sobol"), "--design sobol: at most 2147483648"),
        (("expected", TINY, "--typical", "--design", "sobol"), "--typical --design sobol: one parameter set is used"),
    ],
)
def test_bad_designs_are_refused_in_one_line(simcore: Call, arguments: tuple[str, ...], words: str) -> None:
    done = simcore(*arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
