"""The printed funnel: widths, digits, hidden cells, and the sentences that must be there."""

from __future__ import annotations

import io
import math

import pytest

import analysis
from analysis.command_line import headline
from analysis.number_format import show_error, show_estimate, show_interval, significant
from analysis.quantity import Estimate, Interval
from analysis.summaries import STATEMENT, Summary, scenario_words
from analysis.tables import WIDTH

from .funnel_samples import SCENARIO, make_counts, write

NAN = math.nan


def printed(summary: Summary, *, exact: bool = False) -> str:
    stream = io.StringIO()
    analysis.print_summary(summary, exact=exact, file=stream)
    return stream.getvalue()


def on_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("by", [(), ("origin", "sex"), ("exploitation",)])
def test_it_fits_and_is_plain(by: tuple[str, ...]) -> None:
    """At most 100 columns, no escape sequences, markup of a scenario taken literally."""
    with write(make_counts(200)) as results:
        text = printed(analysis.summarize(results, by=by))
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text
    assert "A sample of [bold]made-up[/bold] counts" in text
    assert STATEMENT in on_one_line(text)
    assert "Counted as trafficked: Whatever is counted here." in on_one_line(text)
    assert "from parameters and chance" in on_one_line(text)
    assert "seed 12345678901234567890" in on_one_line(text)
    assert "nobody at risk by assumption: age_band young, old" in on_one_line(text)


def test_notes_only_where_they_apply() -> None:
    """Without a scope, small cells, zeros or missing values there is nothing to say about them."""
    scenario = {**SCENARIO, "at_risk": {"model": "expert"}}
    counts = {name: values * 1000 for name, values in make_counts(300).items()}
    with write(counts, scenario=scenario) as results:
        text = on_one_line(printed(analysis.summarize(results, quantities=["persons", "bound"])))
        assert all(words not in text for words in ("by assumption", "<10", "Zero in some", "No value in", "too few"))
        few = on_one_line(printed(analysis.summarize(results, levels=[0.999])))
    assert "too few replicates for a standard error" in few
    with write(make_counts(300, bound_mean=0.1)) as results:
        text = on_one_line(printed(analysis.summarize(results)))
    assert "No value in replicates with nobody to be counted of: Arrived of those bound" in text
    assert "Zero in some replicates:" in text


def test_small_cells_are_hidden_unless_exact() -> None:
    """Figures from 1 to 9 and their errors; zeros stay."""
    with write(make_counts(2000, bound_mean=0.3)) as results:
        found = analysis.summarize(results, quantities=["bound", "outcome[LOST]"])
        bound, lost = found["bound"], found["outcome[LOST]"]
        assert 0 < bound.estimate < 10
        assert lost.estimate == 0.0
        hidden, exact = printed(found), printed(found, exact=True)
    row = next(line for line in hidden.splitlines() if "Bound for" in line)
    assert row.split()[4:] == ["<10", "<10", "<10"] or "0 to <10" in row
    assert "--exact shows them" in on_one_line(hidden)
    row = next(line for line in exact.splitlines() if "Bound for" in line)
    assert "<10" not in exact
    assert row.split()[4] == f"{bound.estimate:.0f}"


def test_blocks_by_level() -> None:
    """One block per combination, under its label."""
    with write(make_counts(100)) as results:
        text = printed(analysis.summarize(results, by=("origin", "sex"), quantities=["persons", "bound"]))
    heads = [line for line in text.splitlines() if line.startswith(("AAA", "BBB"))]
    assert heads == ["AAA (First [red]origin[/red]), female", "AAA (First [red]origin[/red]), male", *heads[2:]]
    assert heads[2:] == ["BBB, female", "BBB, male"]


def test_what_a_terminal_would_act_on_is_made_visible() -> None:
    """Escape sequences in a foreign file do nothing."""
    with write(make_counts(20), scenario_title="\x1b[31mred\x07") as results:
        text = printed(analysis.summarize(results))
    assert "\x1b" not in text
    assert "\\x1b[31mred\\x07" in text


def test_headline_of_a_run() -> None:
    """Trafficked, bound, arrived, arrival fraction, and what the figures are."""
    from rich.console import Console

    stream = io.StringIO()
    with write(make_counts(500), nested=(50, 10)) as results:
        Console(file=stream, width=100).print(headline(results))
    text = on_one_line(stream.getvalue())
    for words in ("Median", "MCSE", "50 % interval", "90 % interval", "Trafficked", "Bound for", "arrived", STATEMENT):
        assert words in text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 3, "0"),
        (16_723.4, 3, "16,700"),
        (16_723.4, 2, "17,000"),
        (999.6, 3, "1,000"),
        (141.8, 3, "142"),
        (13.26, 3, "13.3"),
        (0.70845, 3, "0.708"),
        (0.2, 3, "0.200"),
        (0.000123, 2, "0.00012"),
        (9_996_000.0, 3, "10,000,000"),
        (106_432_000.0, 3, "106 million"),
        (12_345_678.0, 3, "12.3 million"),
    ],
)
def test_significant_digits(value: float, digits: int, text: str) -> None:
    """Positional notation with thousands separators."""
    assert significant(value, digits) == text


def test_estimates_errors_and_intervals() -> None:
    """Three digits only if the error allows; small counts hidden with their errors; ratios never hidden."""
    assert show_estimate(Estimate(1234.0, 10.0), "persons") == "1,230"
    assert show_estimate(Estimate(1234.0, 20.0), "persons") == "1,200"
    assert show_estimate(Estimate(1234.0, NAN), "persons") == "1,200"
    assert show_estimate(Estimate(NAN, NAN), "ratio") == show_error(Estimate(NAN, NAN), "ratio") == "-"
    assert show_estimate(Estimate(9.99, 0.1), "events") == "<10"
    assert show_estimate(Estimate(7.0, 0.1), "events", exact=True) == "7"
    assert show_estimate(Estimate(0.5, 0.001), "ratio") == "0.500"
    assert show_error(Estimate(7.0, 0.1), "events") == ""
    assert show_error(Estimate(7.0, 0.1), "events", exact=True) == "<1"
    assert show_error(Estimate(1234.0, 23.4), "persons") == "23"
    assert show_error(Estimate(0.5, 0.00123), "ratio") == "0.0012"
    small, large = Estimate(2.0, 0.1), Estimate(31_000_000.0, 1.0)
    assert show_interval(Interval(0.9, small, small), "persons") == "<10"
    assert show_interval(Interval(0.9, Estimate(21_000_000.0, 1.0), large), "persons") == "21.0 to 31.0 million"
    assert show_interval(Interval(0.9, Estimate(0.0, 0.0), small), "persons") == "0 to <10"


def test_a_scenario_is_named_with_what_was_set_on_it() -> None:
    assert scenario_words({}) == "?"
    assert scenario_words({"scenario_name": "a"}) == "a"
    header = {"scenario_name": "a", "scenario_settings": "b=1\nc=2"}
    assert scenario_words(header) == "a with b=1, c=2"
    assert scenario_words(header, longest=15) == "a with b=1, c=2"
    assert scenario_words(header, longest=14) == "a with 2 settings"
    assert scenario_words({**header, "scenario_settings": "b=" + "1" * 99}, longest=20) == "a with 1 setting"
