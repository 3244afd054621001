"""The binomial sampler: equal to its twin at every address, and of the right law."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from scipy import stats

from simcore.engines.random import derive_key, philox4x32
from simcore.engines.sampling import INVERSION_LIMIT, binomial, stirling_tail
from tests.twin.philox import philox_block
from tests.twin.sampling import binomial_count, stirling_rest

TRIALS = (0, 1, 2, 3, 7, 19, 20, 21, 40, 199, 1000, 99_999, 10**6, 10**8, 2**32 - 1)
PROBABILITIES = (
    0.0, 5e-324, 1e-300, 1e-17, 1e-9, 1e-3, 0.0999999, 0.1, 0.25, math.nextafter(0.5, 0), 0.5, math.nextafter(0.5, 1),
    0.75, 0.999, 1.0 - 1e-9, 1.0 - 2.0**-53, 1.0,
)  # fmt: skip


def compiled(n: int, p: float, draw: int, replicate_id: int, theta_id: int, key: int) -> int:
    return int(binomial(n, p, np.uint32(draw), np.uint32(replicate_id), np.uint32(theta_id), np.uint64(key)))


def plain(n: int, p: float, draw: int, replicate_id: int, theta_id: int, key: int) -> int:
    return binomial_count(n, p, lambda iteration: philox_block((draw, iteration, replicate_id, theta_id), key))


def random_address(chooser: random.Random) -> tuple[int, int, int, int]:
    """Draw index, replicate, theta and key."""
    return chooser.getrandbits(32), chooser.getrandbits(32), chooser.getrandbits(32), chooser.getrandbits(64)


def around_the_switch() -> list[tuple[int, float]]:
    """Pairs with n p (or n (1 - p)) just below, at and just above the mean where the method changes."""
    pairs = []
    for n in (20, 21, 33, 1000, 12_345, 10**6, 10**8):
        p = INVERSION_LIMIT / n
        for nearby in (math.nextafter(p, 0.0), p, math.nextafter(p, 1.0), p * 0.999, p * 1.001):
            pairs += [(n, nearby), (n, 1.0 - nearby)]
    return pairs


@pytest.mark.parametrize("trials", TRIALS)
def test_equals_the_twin(trials: int, chooser: random.Random) -> None:
    for p in PROBABILITIES:
        for _ in range(6):
            address = random_address(chooser)
            drawn = compiled(trials, p, *address)
            assert drawn == plain(trials, p, *address), (trials, p, address)
            assert 0 <= drawn <= trials


def test_equals_the_twin_around_the_switch_of_methods(chooser: random.Random) -> None:
    for n, p in around_the_switch():
        for _ in range(10):
            address = random_address(chooser)
            assert compiled(n, p, *address) == plain(n, p, *address), (n, p, address)


@pytest.mark.parametrize(("n", "p"), [(25, 0.45), (1000, 0.3), (10**8, 1e-6)])
def test_equals_the_twin_in_many_draws(n: int, p: float, chooser: random.Random) -> None:
    """So many that every branch of the rejection is taken: inside and outside the squeeze, accepted and not."""
    key = chooser.getrandbits(64)
    for draw in range(6000):
        assert compiled(n, p, draw, 0, 0, key) == plain(n, p, draw, 0, 0, key), draw


def test_no_chance_and_certainty_are_exact(chooser: random.Random) -> None:
    for n in TRIALS:
        key = chooser.getrandbits(64)
        assert compiled(n, 0.0, 1, 2, 3, key) == 0
        assert compiled(n, -1.0, 1, 2, 3, key) == 0
        assert compiled(n, 1.0, 1, 2, 3, key) == n
        assert compiled(n, 1.0 + 1e-15, 1, 2, 3, key) == n
        assert compiled(n, 1e-300, 1, 2, 3, key) == 0
    assert compiled(-5, 0.5, 1, 2, 3, 4) == 0


@pytest.mark.parametrize("k", [0, 1, 5, 9, 10, 11, 100, 10_000])
def test_stirling_tail_is_what_stirling_leaves(k: int) -> None:
    exact = math.lgamma(k + 1.0) - ((k + 0.5) * math.log(k + 1.0) - (k + 1.0) + 0.5 * math.log(2.0 * math.pi))
    # the series leaves out 1 / (1680 (k + 1)**7), 3e-11 at k = 10; lgamma and the two large terms cancel
    left_out = 1.0 / 1680.0 / (k + 1.0) ** 7 if k > 9 else 0.0
    assert stirling_tail(float(k)) == pytest.approx(exact, abs=1.1 * left_out + 1e-14 + 1e-15 * math.lgamma(k + 1.0))
    assert stirling_tail(float(k)) == stirling_rest(float(k))


def test_rejected_draws_use_further_iterations(chooser: random.Random) -> None:
    """The iteration is part of the address: some draws need several, and no more than a few."""
    rounds = []
    for _ in range(500):
        key, asked = chooser.getrandbits(64), []

        def block(iteration: int, key: int = key, asked: list[int] = asked) -> tuple[int, int, int, int]:
            asked.append(iteration)
            return philox_block((0, iteration, 0, 0), key)

        assert compiled(25, 0.45, 0, 0, 0, key) == binomial_count(25, 0.45, block)
        assert asked == list(range(len(asked)))
        rounds.append(len(asked))
    assert max(rounds) > 1
    assert max(rounds) < 30


LAWS = [
    (6, 0.3),
    (40, 0.2),
    (40, 0.3),
    (40, 0.85),
    (1000, 0.0099),
    (1000, 0.0101),
    (100_000, 0.4),
    (10**8, 1e-7 * 1.01),
]


@pytest.mark.parametrize(("n", "p"), LAWS)
def test_law_by_chi_square(n: int, p: float, seed: int) -> None:
    """Pooled chi-square over cells of at least 25 expected counts; 20,000 draws, level 1e-5 each, 8 of them.

    Power: for (40, 0.3) a probability off by 2 % moves the chi-square by about 60 at 22 degrees of freedom, which
    passes the limit of 69 in nine of ten seeds; see the next test for what is certain to be noticed.
    """
    statistic, limit = chi_square(n, p, p, seed)
    assert statistic < limit


def test_law_notices_a_probability_off_by_five_percent(seed: int) -> None:
    for n, p in LAWS:
        if n * p * (1.0 - p) > 4.0:
            statistic, limit = chi_square(n, p, p * 1.05, seed)
            assert statistic > limit, (n, p)


def chi_square(n: int, drawn_with: float, compared_with: float, seed: int) -> tuple[float, float]:
    draws = 20_000
    key = derive_key(seed, "at_risk", (str(n), str(drawn_with)))
    counts = np.array([compiled(n, drawn_with, 0, i, 0, key) for i in range(draws)])
    law = stats.binom(n, compared_with)
    edges = [-1]
    for k in range(int(law.ppf(1e-6)), int(law.ppf(1.0 - 1e-6)) + 1):  # edges from the law, never from the draws
        enough = draws * (law.cdf(k) - law.cdf(edges[-1])) >= 25.0
        if enough and draws * law.sf(k) >= 25.0:
            edges.append(k)
    expected = draws * np.diff([*(law.cdf(edge) for edge in edges), 1.0])
    observed = np.histogram(counts, bins=[*(edge + 0.5 for edge in edges), math.inf])[0]
    assert observed.sum() == draws
    return float(((observed - expected) ** 2 / expected).sum()), float(stats.chi2(len(expected) - 1).ppf(1.0 - 1e-5))


def test_draws_at_different_addresses_are_uncorrelated(seed: int) -> None:
    """Neighbouring draw indices, replicates and thetas: |z| < 5 for the correlation of 4,000 pairs."""
    key = derive_key(seed, "event", ("A",))
    base = np.array([compiled(60, 0.4, 0, i, 0, key) for i in range(4000)])
    for shift in itertools.product((0, 1), repeat=3):
        if shift == (0, 0, 0):
            continue
        draw, replicate, theta = shift
        other = np.array([compiled(60, 0.4, draw, i + 4000 * replicate, theta, key) for i in range(4000)])
        assert abs(np.corrcoef(base, other)[0, 1]) * math.sqrt(4000) < 5.0


def test_twin_and_kernel_read_the_same_words() -> None:
    words = philox4x32(np.uint32(1), np.uint32(2), np.uint32(3), np.uint32(4), np.uint64(5))
    assert tuple(int(word) for word in words) == philox_block((1, 2, 3, 4), 5)
