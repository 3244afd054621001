"""The C program: its binomials, and that it is left out with a reason where there is no compiler."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from benchmarks import c_program
from benchmarks.comparison import generator_of
from benchmarks.contenders import CONTENDERS
from benchmarks.work import fixed_work
from simcore.model import CompiledModel
from tests.unit.benchmarks.conftest import skip_if_missing


@pytest.fixture
def fresh_library() -> Iterator[None]:
    c_program.library.cache_clear()
    yield
    c_program.library.cache_clear()


# Chi-square over cells of at least 20 expected, level 1e-6 each: six of them, a false alarm once in 170,000 seeds. A
# probability off by 2 % moves 20,000 counts of 1,000 x 0.2 by 0.31 sd each, z = 45.
@pytest.mark.parametrize(
    ("trials", "probability"), [(5, 0.3), (1000, 0.003), (1000, 0.2), (60, 0.5), (200, 0.97), (30_000_000, 0.4)]
)
def test_binomials_of_the_c_program(trials: int, probability: float, seed: int) -> None:
    skip_if_missing("c legs")
    number = 20_000
    drawn = c_program.binomial_sample(seed, trials, probability, number)
    assert drawn.min() >= 0
    assert drawn.max() <= trials
    edges = np.unique(stats.binom.ppf(np.linspace(0.0, 1.0, 41)[1:-1], trials, probability))
    below = np.concatenate([[0.0], stats.binom.cdf(edges, trials, probability), [1.0]])
    expected = np.diff(below) * number
    seen = np.bincount(np.searchsorted(edges, drawn), minlength=expected.size)
    kept = expected >= 20
    value = ((seen - expected)[kept] ** 2 / expected[kept]).sum()
    assert stats.chi2.sf(value, kept.sum()) > 1e-6
    assert seen[~kept].sum() <= expected[~kept].sum() + 6.0 * np.sqrt(expected[~kept].sum()) + 6.0


def test_certain_and_impossible_binomials() -> None:
    skip_if_missing("c legs")
    assert (c_program.binomial_sample(1, 17, 0.0, 9) == 0).all()
    assert (c_program.binomial_sample(1, 17, 1.0, 9) == 17).all()
    assert (c_program.binomial_sample(1, 0, 0.5, 9) == 0).all()


def test_a_seed_gives_the_same_counts_again(tiny_model: CompiledModel, seed: int) -> None:
    skip_if_missing("c legs")
    work = fixed_work(tiny_model, 5, seed)
    for bits in (0, 8):
        first, second, other = (c_program.CProgram(bits)(work, generator_of(s)) for s in (seed, seed, seed + 1))
        assert all((a == b).all() for a, b in zip(first, second, strict=True))
        assert (first.outcome != other.outcome).any()


@pytest.mark.usefixtures("fresh_library")
def test_without_a_compiler_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert CONTENDERS["c legs"].missing() == "no C compiler (cc, gcc, clang) found"


@pytest.mark.usefixtures("fresh_library")
def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if c_program.compiler() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(c_program, "FLAGS", ("-no-such-flag-at-all",))
    assert "-no-such-flag-at-all fails" in CONTENDERS["c collapsed"].missing()
