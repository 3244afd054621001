"""The expected engine beside its numbers: means only, blocks of parameter sets, what may not depend on what."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simcore import moments as module
from simcore.engines.expected import LANES
from simcore.errors import UserError
from simcore.model import compile_model
from simcore.moments import expected
from simcore.scenario import scenario_from_embedded
from tests.conftest import FIXTURES, TWIN_SCENARIOS, load

TINY = FIXTURES / "tiny.toml"


@pytest.mark.parametrize("by", [(), ("origin", "sex")])
@pytest.mark.parametrize("ended", [False, True])
def test_means_only_are_the_same_means(by: tuple[str, ...], ended: bool, seed: int) -> None:
    full = expected("phase1", draws=5, seed=seed, by=by, ended=ended)
    means = expected("phase1", draws=5, seed=seed, by=by, ended=ended, covariance=False)
    assert means.covariance is None
    assert means.components == full.components
    for name in ("theta", "persons", "mean"):
        assert np.array_equal(getattr(means, name), getattr(full, name))
    victims = means.weights("victims")
    assert np.array_equal(means.mean_of(victims), full.mean_of(victims))
    with pytest.raises(UserError, match=r"covariance = False.*only means"):
        means.variance_of(victims)


def test_parameter_sets_do_not_depend_on_their_block(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = compile_model(load(TWIN_SCENARIOS / "maze.toml"), routes=False)
    n = 2 * LANES + 3
    whole = expected(model, draws=n, seed=seed)
    assert whole.covariance is not None
    assert np.unique(whole.mean[:, 0, 0]).size == n
    monkeypatch.setattr(module, "_SETS_AT_ONCE", LANES - 1)
    parts = expected(model, draws=n, seed=seed)
    assert np.array_equal(whole.mean, parts.mean)
    assert np.array_equal(whole.covariance, parts.covariance)
    one = expected(model, draws=1, seed=seed)
    assert np.array_equal(one.mean[0], whole.mean[0])


def test_covariances_are_symmetric_to_the_bit() -> None:
    covariance = expected("phase1", draws=3).covariance
    assert covariance is not None
    assert np.array_equal(covariance, covariance.transpose(0, 1, 3, 2))


def test_memory_is_refused_by_name_and_means_offered() -> None:
    with pytest.raises(UserError, match=r"draws = 1000000: .* GiB, limit 2 GiB: .*means only \(covariance = False\)"):
        expected(load(TINY), draws=1_000_000)
    with pytest.raises(UserError, match=r"limit 2 GiB: fewer draws or axes$"):
        expected(load(TINY), draws=100_000_000, covariance=False)


def test_no_parameter_sets_at_all() -> None:
    model = compile_model(load(TINY), routes=False)
    made = expected(model, theta=np.empty((0, model.space.size)))
    assert made.mean.shape[0] == 0
    assert made.covariance is not None
    assert made.covariance.shape[0] == 0


def test_a_graph_with_very_many_sets_of_points_is_no_matter() -> None:
    """Thirty doors on the way, each passed or not: two to the thirtieth sets of points, in each of two attempts."""
    doors = 30
    last = 2 * doors  # the points n0, n2, ... are passed by everybody, the doors n1, n3, ... by some
    halls = range(0, last, 2)
    pairs = [pair for i in halls for pair in ((i, i + 1), (i, i + 2), (i + 1, i + 2))] + [(last, last + 1)]
    document = load(FIXTURES / "single_border.toml").resolved
    net = {(last, last + 1): {"INTERCEPTED": "interception"}}
    transit = document["transit"] | {
        "points": {f"n{i}": {} for i in range(last + 2)},
        "arrival_point": f"n{last + 1}",
        "attempt_cap": 2,
        "entry": {"all": {"point": "n0"}},
        "legs": {
            f"n{a}n{b}": {"from": f"n{a}", "to": f"n{b}", "returned_to": "n0", "net": net.get((a, b), {})}
            for a, b in pairs
        },
        "branches": {
            f"n{i}": {"all": {"shares": {f"n{i}n{i + 1}": "rest", f"n{i}n{i + 2}": "interception"}}} for i in halls
        },
    }
    moments = expected(scenario_from_embedded(json.dumps({**document, "transit": transit}), {}))
    past = moments.theta[0, moments.parameters.index("interception")]  # share that does not pass a door; caught as well
    twice = past * moments.theta[0, moments.parameters.index("reattempt")]
    bound = moments.mean_of(moments.weights("destination", label=moments.bound))[0, 0]
    one, other = (moments.weights("reached", label=door) for door in ("n1", "n59"))
    expected_one = bound * (1.0 - past * (1.0 - twice * (1.0 - past)))
    assert moments.mean_of(one)[0, 0] == pytest.approx(expected_one, rel=1e-12)
    assert moments.mean_of(other)[0, 0] == pytest.approx(expected_one, rel=1e-12)
    neither = (1.0 - twice) * past**2 + twice * past**4
    either = 2.0 * ((1.0 - twice) * past + twice * past**2)
    both = bound * (1.0 - either + neither)
    covariance = both - expected_one**2 / moments.persons[0, 0]
    assert moments.covariance_of(one, other)[0, 0] == pytest.approx(covariance, rel=1e-10)
