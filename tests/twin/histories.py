"""Every way that one bound person's journey can go, with its probability: the slow, obvious side of exact moments."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from tests.twin.transit import Journeys


class History(NamedTuple):
    """What a journey has counted so far; tuples are in the order of points, legs, and (leg, cause) pairs."""

    visits: tuple[int, ...]
    travelled: tuple[int, ...]
    ended: tuple[int, ...]
    attempts: int
    outcome: str = ""


def plus_one(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


def histories(journeys: Journeys) -> dict[History, float]:
    """Return history -> probability of all finished journeys of a stratum; histories that count alike are merged."""
    transit, causes = journeys.transit, journeys.causes
    points, legs = list(transit.points), list(transit.legs)
    start = History(
        plus_one((0,) * len(points), points.index(journeys.entry)),
        (0,) * len(legs),
        (0,) * (len(legs) * len(causes)),
        1,
    )
    finished: dict[History, float] = defaultdict(float)
    on_the_way = {(journeys.entry, start): 1.0}
    while on_the_way:
        ahead: dict[tuple[str, History], float] = defaultdict(float)
        for (point, before), chance in on_the_way.items():
            for leg, share in journeys.fork(point).items():
                history = before._replace(travelled=plus_one(before.travelled, legs.index(leg)))
                go_on, ends = journeys.leg(leg, history.attempts)
                to = transit.legs[leg].to
                onward = history._replace(visits=plus_one(history.visits, points.index(to)))
                if to == transit.arrival_point:
                    finished[onward._replace(outcome=journeys.outcomes.arrival)] += chance * share * go_on
                else:
                    ahead[to, onward] += chance * share * go_on
                for cause, probability in ends.items():
                    pair = legs.index(leg) * len(causes) + causes.index(cause)
                    ended, flow = history._replace(ended=plus_one(history.ended, pair)), chance * share * probability
                    if cause != journeys.interception:
                        finished[ended._replace(outcome=cause)] += flow
                        continue
                    again, back = journeys.reattempt(history.attempts), journeys.returned_to(leg)
                    finished[ended._replace(outcome=journeys.outcomes.returned)] += flow * (1.0 - again)
                    if flow * again > 0.0:
                        assert back is not None
                        visits = plus_one(ended.visits, points.index(back))
                        ahead[back, ended._replace(visits=visits, attempts=ended.attempts + 1)] += flow * again
        on_the_way = {place: chance for place, chance in ahead.items() if chance > 0.0}
    return {history: chance for history, chance in finished.items() if chance > 0.0}
