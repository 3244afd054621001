"""Uniforms of one parameter set, one column at a time: designs, and the dependence between columns.

Sobol' points come from scipy, unscrambled; their digits are scrambled here one by one, as the text of
`simcore.uncertainty.sobol` says, while the engine scrambles the direction numbers.
"""

from __future__ import annotations

import functools
import math

from scipy.stats import qmc

from simcore.scenario import Scenario
from tests.twin.philox import normal_score, open_uniform, philox_block, stream_key, wide_word

DIGITS = 53
ONE = 1 << DIGITS


@functools.lru_cache(maxsize=4)
def _plain_points(dimensions: int, points: int) -> list[list[float]]:
    values: list[list[float]] = qmc.Sobol(dimensions, scramble=False, bits=32).random(points).tolist()
    return values


def scrambled_digits(point: float, key: int, digits: int) -> float:
    """Return a coordinate with its first ``digits`` digits multiplied by the matrix of ``key``, and shifted."""
    shift_word = philox_block((0, 1, 0, 0), key)
    result = wide_word(shift_word[0], shift_word[1]) >> 11
    integer = int(point * ONE)
    for digit in range(digits):
        place = DIGITS - 1 - digit
        if integer >> place & 1:
            words = philox_block((digit, 0, 0, 0), key)
            below = (wide_word(words[0], words[1]) >> 11) % (1 << place)
            result ^= below + (1 << place)
    return max(result, 1) / ONE


def latin_place(index: int, points: int, key: int) -> int:
    """Return the slice of point ``index``: eight rounds (24 up to 64 points) on the halves of its binary text."""
    bits = max(2, (points - 1).bit_length())
    rounds = 24 if bits <= 6 else 8
    while True:
        text = format(index, f"0{bits}b")
        upper, lower = text[: bits // 2], text[bits // 2 :]
        for turn in range(rounds):
            word = format(philox_block((int(lower, 2), turn, 1, 0), key)[0], "032b")
            mixed = "".join("01"[a != b] for a, b in zip(upper, word[32 - len(upper) :], strict=True))
            upper, lower = lower, mixed
        index = int(upper + lower, 2)
        if index < points:
            return index


def latin_uniform(index: int, points: int, key: int) -> float:
    """Return the coordinate of point ``index`` of a Latin hypercube."""
    words = philox_block((0, 0, 0, index), key)
    place = latin_place(index, points, key)
    u = (place + open_uniform(words[0], words[1])) / points
    u = min(u, math.nextafter((place + 1) / points, 0.0))
    return min(max(u, 1 / ONE), 1 - 1 / ONE)


def lower_triangle(correlation: list[list[float]]) -> list[list[float]]:
    """Return the Cholesky factor, row by row; a pivot of zero makes its column zero."""
    rows: list[list[float]] = []
    for i, line in enumerate(correlation):
        row: list[float] = []
        for j in range(i + 1):
            done = 0.0
            other = rows[j] if j < i else row
            for k in range(j):
                done += row[k] * other[k]
            rest = line[j] - done
            if j < i:
                row.append(rest / rows[j][j] if rows[j][j] > 0.0 else 0.0)
            else:
                row.append(math.sqrt(rest) if rest > 1e-9 else 0.0)
        rows.append(row)
    return rows


class Cube:
    """One point of the unit cube of a scenario's columns.

    Parameters
    ----------
    scenario : Scenario
    seed, theta_id : int
    design : {"random", "sobol", "lhs"}
    points : int
        Of the design.
    randomisation : int
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        theta_id: int,
        design: str = "random",
        points: int = 0,
        randomisation: int = 0,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.theta_id = theta_id
        self.design = design
        self.points = points
        self.randomisation = str(randomisation)
        self.order = [column for element in scenario.elements().values() for column in element.columns]
        self.partners = {
            column: (list(group.columns), number)
            for group in scenario.dependence_report.groups
            for number, column in enumerate(group.columns)
        }
        self.matrices = {group.columns: group.pearson.tolist() for group in scenario.dependence_report.groups}

    def independent(self, column: str) -> float:
        """Return the uniform of a column before it is tied to others."""
        if self.design == "random":
            key = stream_key(self.seed, "parameter", (column,))
            first, second, _, _ = philox_block((0, 0, 0, self.theta_id), key)
            return open_uniform(first, second)
        key = stream_key(self.seed, f"{self.design} parameter", (column, self.randomisation))
        if self.design == "lhs":
            return latin_uniform(self.theta_id, self.points, key)
        dimension = self.order.index(column)
        point = _plain_points(len(self.order), self.points)[self.theta_id][dimension]
        return scrambled_digits(point, key, (self.points - 1).bit_length())

    def uniform(self, column: str) -> float:
        """Return the uniform of a column."""
        if column not in self.partners:
            return self.independent(column)
        columns, number = self.partners[column]
        row = lower_triangle(self.matrices[tuple(columns)])[number]
        score = 0.0
        for weight, partner in zip(row, columns, strict=False):
            score += weight * normal_score(self.independent(partner))
        u = 0.5 * math.erfc(-score * math.sqrt(0.5))
        return min(max(u, 1 / ONE), 1 - 1 / ONE)
