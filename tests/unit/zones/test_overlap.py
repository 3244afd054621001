"""Risk classes: Plackett's closed form for two bits, margins and conditional odds ratios for more."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from simcore.source_zone.overlap import plackett_both, risk_classes
from tests.twin.source import class_probabilities, plackett

SHARES = (0.0, 1e-300, 1e-12, 0.003, 0.2, 0.5, 0.97, 1.0 - 1e-12, 1.0)
ODDS_RATIOS = (1e-9, 0.01, 0.5, 1.0 - 1e-12, 1.0, 1.0 + 1e-12, 4.0, 300.0, 1e9)


def fill(shares: list[float], odds_ratio: float) -> np.ndarray:
    classes = np.full(1 << len(shares), np.nan)
    risk_classes(np.array(shares), odds_ratio, classes)
    return classes


def test_plackett_of_the_known_answer() -> None:
    """TINY of docs/model.md E: rho = .03, .05 and psi = 4."""
    classes = fill([0.03, 0.05], 4.0)
    assert classes[3] == pytest.approx(0.0048967207, abs=5e-11)
    assert classes[1] == pytest.approx(0.0251032793, abs=5e-11)
    assert classes[2] == pytest.approx(0.0451032793, abs=5e-11)


@pytest.mark.parametrize("odds_ratio", ODDS_RATIOS)
@pytest.mark.parametrize("first", SHARES)
def test_two_bits_equal_the_twin_and_keep_their_margins(first: float, odds_ratio: float) -> None:
    for second in SHARES:
        classes = fill([first, second], odds_ratio)
        assert classes.tolist() == list(class_probabilities(["a", "b"], {"a": first, "b": second}, odds_ratio).values())
        assert plackett_both(first, second, odds_ratio) == plackett(first, second, odds_ratio)
        assert (classes >= 0.0).all()
        assert classes.sum() == pytest.approx(1.0, abs=1e-15)
        assert classes[1] + classes[3] == pytest.approx(first, rel=1e-15, abs=0.0)
        assert classes[2] + classes[3] == pytest.approx(second, rel=1e-15, abs=0.0)
        if first == 0.0 or second == 0.0:
            assert classes[3] == 0.0
        if first == 1.0:
            assert classes[0] == 0.0
            assert classes[2] == 0.0


@pytest.mark.parametrize("odds_ratio", [1e-9, 0.01, 0.5, 1.0, 4.0, 300.0])
def test_two_bits_solve_the_quadratic_exactly(odds_ratio: float) -> None:
    """In rational arithmetic, p11 p00 = psi p10 p01 changes sign within 1e-13 (relative) of the computed p11.

    The smallest psi gets 1e-11: with a + b = 1 the answer is near sqrt(psi), and the rounding of 1 - psi shows.
    """
    psi = Fraction(odds_ratio)
    for first, second in itertools.product((0.003, 0.2, 0.5, 0.97), repeat=2):
        a, b = Fraction(first), Fraction(second)

        def excess(p11: Fraction, a: Fraction = a, b: Fraction = b) -> Fraction:
            return p11 * (1 - a - b + p11) - psi * (a - p11) * (b - p11)

        both = Fraction(float(plackett_both(first, second, odds_ratio)))
        step = both / (10**11 if odds_ratio < 1e-6 else 10**13)
        assert excess(both - step) < 0 < excess(both + step)


# Marginals and odds ratio for which u = 1 + (psi - 1)(a + b) is exactly zero: either form of the root may be taken
# there, but the engine and its twin must take the same one.
TURNING_POINTS = [
    (0.8506827025954699, 0.29217444026167294, 0.125),
    (0.9054611779841756, 0.7612054886824912, 0.4),
    (0.8831866957146582, 0.5453847328567704, 0.3),
]


@pytest.mark.parametrize(("first", "second", "odds_ratio"), TURNING_POINTS)
def test_two_bits_equal_the_twin_where_the_formula_turns(first: float, second: float, odds_ratio: float) -> None:
    assert 1.0 + (odds_ratio - 1.0) * (first + second) == 0.0
    assert plackett_both(first, second, odds_ratio) == plackett(first, second, odds_ratio)


def test_independent_bits_are_the_product() -> None:
    for first, second in itertools.product((0.1, 0.4, 0.9), repeat=2):
        assert plackett_both(first, second, 1.0) == pytest.approx(first * second, rel=1e-15)


def test_one_bit() -> None:
    for share in SHARES:
        assert fill([share], 5.0).tolist() == [1.0 - share, share]


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("odds_ratio", [0.2, 0.9, 1.0, 2.5, 12.0])
def test_more_bits_keep_margins_and_pairwise_odds_ratios(bits: int, odds_ratio: float, chooser: random.Random) -> None:
    """Every pair of bits has the odds ratio psi given each setting of the others; 1e-12 relative."""
    for _ in range(20):
        shares = [chooser.uniform(0.002, 0.6) for _ in range(bits)]
        classes = fill(shares, odds_ratio)
        assert classes.sum() == pytest.approx(1.0, abs=1e-13)
        for bit in range(bits):
            margin = sum(classes[member] for member in range(1 << bits) if member >> bit & 1)
            assert margin == pytest.approx(shares[bit], rel=1e-12)
        for i, j in itertools.combinations(range(bits), 2):
            for others in range(1 << bits):
                if others >> i & 1 or others >> j & 1:
                    continue
                neither, only_i, only_j, both = (classes[others | x << i | y << j] for y in (0, 1) for x in (0, 1))
                assert both * neither / (only_i * only_j) == pytest.approx(odds_ratio, rel=1e-12)


@pytest.mark.parametrize(
    "shares", [(0.1, 0.0, 0.3), (0.1, 1.0, 0.3), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 1.0, 0.0)]
)
def test_more_bits_with_certain_and_impossible_ones(shares: tuple[float, ...]) -> None:
    classes = fill(list(shares), 3.0)
    assert np.isfinite(classes).all()
    for bit, share in enumerate(shares):
        inside = [classes[member] for member in range(8) if member >> bit & 1]
        assert math.fsum(inside) == pytest.approx(share, rel=1e-12, abs=0.0)
        if share in (0.0, 1.0):
            assert not any(mass > 0.0 for mass in (inside if share == 0.0 else set(classes) - set(inside)))


def test_three_bits_equal_the_twin(chooser: random.Random) -> None:
    for _ in range(30):
        shares = [chooser.random() for _ in range(3)]
        odds_ratio = math.exp(chooser.gauss(0.0, 1.5))
        twin = class_probabilities(["a", "b", "c"], dict(zip("abc", shares, strict=True)), odds_ratio)
        assert fill(shares, odds_ratio).tolist() == list(twin.values())


@pytest.mark.parametrize("odds_ratio", [0.125, 0.5, 1.0, 2.0, 8.0])
def test_three_and_four_bits_equal_the_twin_where_powers_are_exact(odds_ratio: float, chooser: random.Random) -> None:
    """Powers of two of a power of two have no rounding, so the bits are those of any interpreter or compiler."""
    for names in ("abc", "abcd"):
        for _ in range(5):
            shares = [chooser.uniform(0.01, 0.9) for _ in names]
            twin = class_probabilities(list(names), dict(zip(names, shares, strict=True)), odds_ratio)
            assert fill(shares, odds_ratio).tolist() == list(twin.values())


def test_three_bits_with_the_last_impossible_are_plackett() -> None:
    """The general fit with a third bit that nobody has must be the closed form of two."""
    classes = fill([0.03, 0.05, 0.0], 4.0)
    assert classes[:4].tolist() == pytest.approx(fill([0.03, 0.05], 4.0).tolist(), rel=1e-12)
