"""The two walkers, one agent at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.twin.philox import Chance, wide_word
from tests.twin.transit import Journeys, threshold

Tally = Counter[tuple[str, ...]]


class Walker:
    """Walks the bound victims of one stratum and counts what happens to them: (variable, label ...) -> number."""

    def __init__(self, journeys: Journeys, chance: Chance, names: tuple[str, ...]) -> None:
        self.journeys = journeys
        self.chance = chance
        self.names = names
        self.tally: Tally = Counter()

    def enter(self, point: str, reached: set[str]) -> None:
        """Count the entry to a point."""
        self.tally["visits", point] += 1
        if point not in reached:
            self.tally["reached", point] += 1
            reached.add(point)

    def collapsed(self, agent: int) -> None:
        """Walk one agent, one word per attempt."""
        reached: set[str] = set()
        start: str | None = self.journeys.entry
        attempt = 0
        while start is not None:
            attempt += 1
            self.tally["attempts", str(attempt)] += 1
            if attempt == 1:
                word = self.chance.block("attempt", self.names, agent // 4, 0)[agent % 4]
            else:
                word = self.chance.block("reattempt", self.names, agent, (attempt - 2) // 4)[(attempt - 2) % 4]
            table = self.journeys.table(start, attempt)
            low = 0
            if table.ties(word):
                low = self.chance.block("tie", self.names, agent, (attempt - 1) // 4)[(attempt - 1) % 4]
            fate = table.find(wide_word(word, low))
            for point in fate.points:
                self.enter(point, reached)
            if fate.leg is not None and fate.cause is not None:
                self.tally["ended", fate.leg, fate.cause] += 1
            if fate.outcome is not None:
                self.tally["outcome", fate.outcome] += 1
            start = fate.next_start if fate.outcome is None else None

    def leg_by_leg(self, agent: int) -> None:
        """Walk one agent, one decision per fork and leg."""
        journeys, outcomes = self.journeys, self.journeys.outcomes
        reached: set[str] = set()
        point, attempt = journeys.entry, 1
        self.tally["attempts", "1"] += 1
        while True:
            self.enter(point, reached)
            if point == journeys.transit.arrival_point:
                self.tally["outcome", outcomes.arrival] += 1
                return
            fork = journeys.fork(point)
            leg = next(iter(fork))
            if len(fork) > 1:
                words = self.chance.block("branch", (*self.names, point), agent, attempt - 1)
                leg = pick(wide_word(words[0], words[1]), fork)
            words = self.chance.block("leg", (*self.names, leg), agent, attempt - 1)
            go_on, chances = journeys.leg(leg, attempt)
            end = pick(wide_word(words[0], words[1]), {**chances, "": go_on})
            if end == "":
                point = journeys.transit.legs[leg].to
                continue
            self.tally["ended", leg, end] += 1
            if end != journeys.interception:
                self.tally["outcome", end] += 1
                return
            again = journeys.reattempt(attempt)
            if again < 1.0 and wide_word(words[2], words[3]) >= threshold(again):
                self.tally["outcome", outcomes.returned] += 1
                return
            back = journeys.returned_to(leg)
            assert back is not None
            point = back
            attempt += 1
            self.tally["attempts", str(attempt)] += 1


def pick(uniform: int, masses: Mapping[str, float]) -> str:
    """Return the name whose interval of cumulative 64-bit thresholds holds ``uniform``."""
    possible = [name for name, mass in masses.items() if mass > 0.0] or [next(iter(masses))]
    cumulative = 0.0
    for name, mass in masses.items():
        cumulative += mass
        if name == possible[-1] or uniform < threshold(cumulative):
            return name
    raise AssertionError("the last possible name was passed")
