"""Event probabilities per risk class: competing hazards, and a level that combines others."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from simcore.source_zone.events import event_probabilities
from tests.twin.source import class_events

S, L, BOTH = 1, 2, 3


def fill(hazards: list[float], members: list[int], combined: list[float], years: float, classes: int) -> np.ndarray:
    events = np.full((classes, 1 + len(hazards)), np.nan)
    event_probabilities(np.array(hazards), np.array(members, dtype=np.int64), np.array(combined), years, events)
    return events


def test_two_exploitations_compete() -> None:
    h_s, h_l, years = 0.08, 0.05, 1.5
    events = fill([h_s, h_l], [S, L], [-1.0, -1.0], years, 4)
    assert events[0].tolist() == [1.0, 0.0, 0.0]
    assert events[S] == pytest.approx([math.exp(-h_s * years), 1.0 - math.exp(-h_s * years), 0.0], rel=1e-14)
    assert events[L] == pytest.approx([math.exp(-h_l * years), 0.0, 1.0 - math.exp(-h_l * years)], rel=1e-14)
    any_event = 1.0 - math.exp(-(h_s + h_l) * years)
    assert events[BOTH, 1] == pytest.approx(any_event * h_s / (h_s + h_l), rel=1e-14)
    assert events[BOTH, 2] == pytest.approx(any_event * h_l / (h_s + h_l), rel=1e-14)
    assert events.sum(axis=1) == pytest.approx([1.0] * 4, abs=1e-15)


def test_victims_of_the_known_answer() -> None:
    """v_S and v_L of TINY (docs/model.md E), with the classes that it gives."""
    events = fill([0.08, 0.05], [S, L], [-1.0, -1.0], 1.0, 4)
    p10, p01, p11 = 0.0251032793, 0.0451032793, 0.0048967207
    assert p10 * events[S, 1] + p11 * events[BOTH, 1] == pytest.approx(0.0022973750, abs=2e-10)
    assert p01 * events[L, 2] + p11 * events[BOTH, 2] == pytest.approx(0.0024293024, abs=2e-10)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_combined_level_takes_its_share_of_those_with_both_risks_only(share: float) -> None:
    plain = fill([0.08, 0.05], [S, L], [-1.0, -1.0], 2.0, 4)
    events = fill([0.08, 7.0, 0.05], [S, BOTH, L], [-1.0, share, -1.0], 2.0, 4)  # its own hazard must be ignored
    assert (events[:, 0] == plain[:, 0]).all(), "nobody may have more events, or fewer"
    assert events[:3, [1, 3]].tolist() == plain[:3, [1, 2]].tolist()
    assert events[:3, 2].tolist() == [0.0, 0.0, 0.0]
    any_event = 1.0 - math.exp(-0.13 * 2.0)
    assert events[BOTH, 2] == pytest.approx(share * any_event, rel=1e-14, abs=0.0)
    assert events[BOTH, 1] == pytest.approx((1.0 - share) * plain[BOTH, 1], rel=1e-14, abs=0.0)
    assert events[BOTH, 3] == pytest.approx((1.0 - share) * plain[BOTH, 2], rel=1e-14, abs=0.0)
    assert events[BOTH].sum() == pytest.approx(1.0, abs=1e-15)


def test_small_hazards_lose_no_digits_and_large_ones_are_certain() -> None:
    events = fill([1e-17, 3e-17], [S, L], [-1.0, -1.0], 1.0, 4)
    assert events[BOTH, 1] == pytest.approx(1e-17, rel=1e-14)
    assert events[BOTH, 2] == pytest.approx(3e-17, rel=1e-14)
    events = fill([5e3, 5e3], [S, L], [-1.0, -1.0], 1.0, 4)
    assert events[BOTH].tolist() == [0.0, 0.5, 0.5]
    events = fill([0.0, 0.0], [S, L], [-1.0, -1.0], 1.0, 4)
    assert events.tolist() == [[1.0, 0.0, 0.0]] * 4


def test_equals_the_twin(chooser: random.Random) -> None:
    names, bits = ("P", "PQ", "Q", "R", "PQR"), "PQR"
    needs = {name: frozenset(name) for name in names}
    members = [sum(1 << bits.index(letter) for letter in name) for name in names]
    for _ in range(50):
        hazards = {name: chooser.choice([0.0, chooser.expovariate(3.0)]) for name in names if len(name) == 1}
        combined = {"PQ": chooser.random() / 2.0, "PQR": chooser.random() / 2.0}
        years = chooser.uniform(0.1, 5.0)
        events = fill(
            [hazards.get(name, 9.9) for name in names], members, [combined.get(name, -1.0) for name in names], years, 8
        )
        for number in range(8):
            held = frozenset(letter for bit, letter in enumerate(bits) if number >> bit & 1)
            none, each = class_events(held, needs, hazards, combined, years)
            assert events[number].tolist() == [none, *each.values()]
            assert events[number].sum() == pytest.approx(1.0, abs=1e-15)


def test_classes_without_the_bits_have_no_such_events(chooser: random.Random) -> None:
    members = [1, 2, 4, 3, 7]
    events = fill([0.3, 0.2, 0.1, 0.0, 0.0], members, [-1.0, -1.0, -1.0, 0.5, 0.25], 1.0, 8)
    for risk_class, x in itertools.product(range(8), range(5)):
        assert (events[risk_class, 1 + x] > 0.0) == (members[x] & risk_class == members[x])
