"""Numbers for people, and numbers from people."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.cli.arguments import read_axes, read_count, read_nested, read_seed
from simcore.cli.figures import duration, figure, percent, size
from simcore.cli.terminal import one_line, visible
from simcore.errors import UserError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
        (1.0, "1.00"),
        (0.012345, "0.0123"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (9.999, "10.0"),
        (15_923.0, "15,900"),
        (241_456_789.0, "241,000,000"),
        (-1234.0, "-1,230"),
        (0.00001234, "1.23e-05"),
        (1.5e20, "1.50e+20"),
    ],
)
def test_figure(value: float | None, text: str) -> None:
    assert figure(value) == text


@given(st.floats(min_value=1e-4, max_value=9e14))
def test_a_figure_is_within_half_a_unit_of_its_third_digit(value: float) -> None:
    shown = float(figure(value).replace(",", ""))
    assert abs(shown - value) <= 0.5000001 * 10.0 ** (math.floor(math.log10(value)) - 2)


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50.0 %"), (1.0, "100 %"), (0.99999, ">99.9 %"), (0.0, "0 %"), (None, "-")]
)
def test_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.00 KiB"), (5 << 20, "5.00 MiB"), (3 << 40, "3.00 TiB")],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.25, "0.250 s"),
        (59.0, "59.0 s"),
        (61.0, "1 min 1 s"),
        (3600.0, "1 h 0 min"),
        (90_000.0, "25 h 0 min"),
        (1e6, "11 d 13 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), (" 7 ", 7), ("+7", 7), ("100_000", 100_000), ("1e6", 1_000_000), ("2.5e3", 2500), ("1E+2", 100)],
)
def test_counts_as_people_write_them(text: str, value: int) -> None:
    assert read_count(text, "-n") == value


@pytest.mark.parametrize("text", ["", "1.5", "1e-3", "1.23e1", "0x10", "1__0", "\uff11", "1e99", "9" * 100, "inf"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(UserError, match="must be a whole number from 1 to 4294967295"):
        read_count(text, "-n")


def _refusal(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except UserError as error:
        return one_line(f"error: {error}")
    return ""


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    for read in (read_seed, read_nested, read_axes, lambda text: read_count(text, "--x")):
        assert "\n" not in _refusal(read, text)


@given(st.integers(0, 2**64 - 1))
def test_every_seed_is_taken(seed: int) -> None:
    assert read_seed(str(seed)) == seed


@pytest.mark.parametrize("cross", ["x", "X", "\u00d7"])
def test_nested_designs(cross: str) -> None:
    assert read_nested(f"200{cross}500") == (200, 500)


def test_axes() -> None:
    assert read_axes("origin, sex") == ("origin", "sex")
    assert read_axes("none") == ()


def test_nothing_that_a_terminal_would_act_on_gets_through() -> None:
    assert visible("a\x1b[31mb\tc\x9bd\n") == "a\\x1b[31mb\\tc\\x9bd\n"
    assert one_line("a\r\n  b\u2028c") == "a b c"
