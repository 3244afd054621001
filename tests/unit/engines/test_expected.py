"""The expected engine beside its numbers: means only, blocks of parameter sets, what may not depend on what."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simcore import moments as module
from simcore.engines.expected import LANES
from simcore.errors import UserError
from simcore.model import compile_model
from simcore.moments import Moments, expected
from simcore.scenario import scenario_from_embedded
from tests.conftest import FIXTURES, TWIN_SCENARIOS, load

TINY, BORDER = FIXTURES / "tiny.toml", FIXTURES / "single_border.toml"


def border_moments(interception: list[float], *settings: str) -> Moments:
    """Return the moments of one border, a parameter set for each probability of interception."""
    model = compile_model(load(BORDER, *settings), routes=False)
    theta = model.space.typical()[None, :].repeat(len(interception), axis=0)
    theta[:, model.space.names.index("interception")] = interception
    return expected(model, theta=theta, ended=True)


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


def test_every_parameter_set_has_its_own_row() -> None:
    """More sets than are computed side by side, certain and impossible interceptions among them."""
    caught = [0.0, 1.0, *np.linspace(0.01, 0.99, LANES - 1).tolist(), 0.31]
    assert len(caught) == LANES + 2
    whole = border_moments(caught)
    assert whole.covariance is not None
    outcomes = [i for i, c in enumerate(whole.components) if c.variable == "outcome"]
    for row in (0, 1, 2, LANES - 1, LANES, LANES + 1):
        alone = border_moments([caught[row]])
        assert alone.covariance is not None
        assert np.allclose(whole.mean[row], alone.mean[0], rtol=4e-16 * 16, atol=0.0)
        assert np.allclose(whole.covariance[row], alone.covariance[0], rtol=1e-14, atol=1e-9)
    kept = np.array(caught) * 0.9  # caught and tries again
    arrived = 100_000 * (1.0 - np.array(caught)) * (kept[:, None] ** np.arange(5)).sum(axis=1)
    assert np.allclose(whole.mean[:, 0, outcomes[0]], arrived, rtol=1e-13, atol=1e-9)


def test_probabilities_of_a_leg_are_right_to_the_last_digits() -> None:
    """Nobody is lost between 1 - exp(-x) and exp(-x), whatever the hazard x: at most 4 roundings and those of x."""
    halves = [1.0 - 2.0 ** -(n + 0.5) for n in range(12)]  # where the reduced argument is largest, on both sides
    caught = [1e-300, 1e-12, 1e-3, 0.1, 0.25, 0.5, 0.75, 1.0 - 1e-12]
    caught += [p + step for p in halves for step in (-1e-4, 1e-4)]
    made = border_moments(caught, "transit.attempt_cap = 1")
    bound = made.mean_of(made.weights("destination"))[:, 0]
    for variable, label, exact in (
        ("outcome", "ARRIVED", 1.0 - np.array(caught)),
        ("ended", "crossing:INTERCEPTED", np.array(caught)),
    ):
        share = made.mean_of(made.weights(variable, label=label))[:, 0] / bound
        hazard = -np.log1p(-np.array(caught))
        assert (np.abs(share / exact - 1.0) <= (4.0 + hazard) * 2.3e-16).all()


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
