"""The tables ``[dependence.NAME]``: which parameters are correlated, and the correlation matrices that follow.

A block states rank (Spearman) correlations, in one of two forms: between the named ``parameters`` (scalars or elements
of indexed parameters), or between the elements of one ``parameter`` that differ on the axis ``across`` only, for every
combination of its other axes. A simplex stands for its first stick, that is its first share.

All blocks together make one matrix. Pairs about which nothing is stated are uncorrelated. Each connected group is
turned into correlations of normal scores and, where the statements fit no joint law, repaired to the nearest ones that
do (`simcore.scenario.correlation`); how far that moved them is reported, and beyond `LARGEST_REPAIR` refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simcore.scenario.correlation import (
    FloatArray,
    connected_groups,
    is_valid,
    nearest_correlation,
    ranks_from_scores,
    scores_from_ranks,
)
from simcore.scenario.fields import (
    Grade,
    IndexAxis,
    Listed,
    ReferenceText,
    Table,
    problem,
    shown,
    split_reference,
)
from simcore.scenario.locations import KeyPath

if TYPE_CHECKING:
    from simcore.scenario.references import ParameterElement
    from simcore.scenario.validated import Scenario

LARGEST_REPAIR = 0.1
"""Largest change of a rank correlation that is made without being asked for."""

_NOTICED = 1e-6  # smaller repairs are rounding
_FIXED = ("fixed", "fixed_shares")
_MOST_NAMED = 6

Matrix = tuple[tuple[float, ...], ...]


def _correlation(value: Any, key: tuple[str | int, ...] = ()) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise problem(f"must be a number, got {shown(value)}{_place(key)}")
    if not -1.0 <= value <= 1.0:
        raise problem(f"must be from -1 to 1, got {value:g}{_place(key)}")
    return float(value)


def _place(key: tuple[str | int, ...]) -> str:
    return f" (row {int(key[0]) + 1}, column {int(key[1]) + 1})" if key else ""


def check_correlations(value: Any) -> float | Matrix:
    """Return a rank correlation, or a full matrix of them: symmetric, with ones on the diagonal."""
    if not isinstance(value, list | tuple):
        return _correlation(value)
    size = len(value)
    for number, row in enumerate(value):
        if not isinstance(row, list | tuple):
            raise problem(f"must be a number or a list of rows, but row {number + 1} is {shown(row)}")
        if len(row) != size:
            raise problem(f"must be square: {size} rows, but row {number + 1} has {len(row)} entries")
    matrix = tuple(tuple(_correlation(entry, (i, j)) for j, entry in enumerate(row)) for i, row in enumerate(value))
    for i, j in itertools.product(range(size), repeat=2):
        if i == j and matrix[i][i] != 1.0:
            raise problem(f"must have 1 on the diagonal, got {matrix[i][i]:g}{_place((i, i))}")
        if i < j and matrix[i][j] != matrix[j][i]:
            raise problem(
                f"must be symmetric: row {i + 1}, column {j + 1} is {matrix[i][j]:g}, "
                f"row {j + 1}, column {i + 1} is {matrix[j][i]:g}"
            )
    return matrix


def _two_or_more(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) < 2:
        raise problem(f"must name at least 2 parameters, got {len(names)}")
    return names


class DependenceBlock(Table):
    """Rank correlations between some parameters."""

    parameters: Annotated[tuple[ReferenceText, ...], AfterValidator(_two_or_more)] | None = None
    parameter: ReferenceText | None = None
    across: IndexAxis | None = None
    spearman: Annotated[float | Matrix, BeforeValidator(check_correlations)]
    grade: Grade = "illustrative"
    source: Listed | None = None
    note: str | None = None
    label: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> DependenceBlock:
        if (self.parameters is None) == (self.parameter is None):
            got = "neither" if self.parameter is None else "both"
            raise problem(f"give either parameters, or parameter and across; got {got}")
        if (self.parameter is None) != (self.across is None):
            missing, given = ("across", "parameter") if self.across is None else ("parameter", "across")
            raise problem(f"missing key: it goes with {given}", key=missing)
        if self.source is None and self.grade in ("measured", "derived"):
            raise problem(f"missing key: grade {shown(self.grade)} needs a source", key="source")
        if self.parameters is not None:
            self._fits(len(self.parameters), "parameters")
        return self

    def _fits(self, size: int, what: str) -> None:
        if isinstance(self.spearman, tuple) and len(self.spearman) != size:
            raise problem(
                f"must be one number or {size} x {size} for {size} {what}, got {len(self.spearman)} x "
                f"{len(self.spearman)}",
                key="spearman",
            )

    def matrix(self, size: int) -> FloatArray:
        """Return the stated rank correlations of ``size`` members, float64 [size, size]."""
        if isinstance(self.spearman, tuple):
            return np.array(self.spearman, dtype=np.float64)
        matrix = np.full((size, size), self.spearman)
        np.fill_diagonal(matrix, 1.0)
        return matrix


class PairReport(NamedTuple):
    """A pair of dependent scalars: what was asked for and what a run has; ``stated`` is False for a 0 nobody stated."""

    first: str
    second: str
    asked: float
    got: float
    stated: bool


@dataclass(frozen=True)
class DependentGroup:
    """Scalars that depend on each other, directly or through others.

    Attributes
    ----------
    columns : tuple of str
        Names of their columns of theta, in the order of the scenario.
    asked : float64 [k, k]
        Rank correlations as stated, 0 where nothing was.
    stated : bool [k, k]
    pearson : float64 [k, k]
        Correlations of the normal scores, repaired if need be.
    blocks : tuple of str
        Names of the blocks that speak of them.
    """

    columns: tuple[str, ...]
    asked: FloatArray
    stated: np.ndarray[Any, np.dtype[np.bool_]]
    pearson: FloatArray
    blocks: tuple[str, ...]

    @property
    def spearman(self) -> FloatArray:
        """Rank correlations that a run has, float64 [k, k]."""
        return ranks_from_scores(self.pearson)

    @property
    def largest_change(self) -> float:
        """Largest difference between a rank correlation asked for and the one that a run has."""
        return float(np.max(np.abs(self.spearman - self.asked)))

    @property
    def worst_pair(self) -> PairReport:
        """The pair that the repair moved most."""
        return max(self.pairs(), key=lambda pair: abs(pair.got - pair.asked))

    def pairs(self) -> Iterator[PairReport]:
        """Yield every pair of the group."""
        got = self.spearman
        for i, j in itertools.combinations(range(len(self.columns)), 2):
            asked, stated = float(self.asked[i, j]), bool(self.stated[i, j])
            yield PairReport(self.columns[i], self.columns[j], asked, float(got[i, j]), stated)


@dataclass(frozen=True)
class DependenceReport:
    """The dependence of a scenario: its groups, and what is to be said about it, each with a key path."""

    groups: tuple[DependentGroup, ...]
    remarks: tuple[tuple[KeyPath, str], ...]

    def pairs(self) -> Iterator[PairReport]:
        """Yield every pair of scalars in a group: asked and got."""
        for group in self.groups:
            yield from group.pairs()


def resolve_dependence(scenario: Scenario) -> DependenceReport:
    """Return the groups of dependent scalars of a scenario whose references are sound.

    Raises
    ------
    ScenarioError
        If a block names what cannot be correlated, two blocks contradict each other, or the statements are too far from
        any joint law.
    """
    used = list(scenario.elements())
    stated: dict[tuple[str, str], tuple[float, str]] = {}
    remarks: list[tuple[KeyPath, str]] = []
    for name, block in scenario.document.dependence.items():
        left_out: dict[str, None] = {}
        for members in _member_lists(scenario, name, block):
            kept = [_usable(scenario, name, element, used, left_out) for element in members]
            matrix = block.matrix(len(members))
            for i, j in itertools.combinations(range(len(members)), 2):
                if kept[i] and kept[j]:
                    pair = tuple(sorted((members[i].name, members[j].name), key=used.index))
                    _state(scenario, name, (pair[0], pair[1]), float(matrix[i, j]), stated)
        if left_out:
            named = ", ".join(list(left_out)[:_MOST_NAMED]) + (", ..." if len(left_out) > _MOST_NAMED else "")
            remarks.append((("dependence", name), f"ignored what is fixed or used by nobody: {named}"))
    groups = tuple(_groups(scenario, used, stated))
    for group in groups:
        if group.largest_change > _NOTICED:
            remarks.append((("dependence", group.blocks[0]), _repair_text(group)))
    return DependenceReport(groups, tuple(remarks))


def _member_lists(scenario: Scenario, name: str, block: DependenceBlock) -> Iterator[list[ParameterElement]]:
    """Yield lists of elements that a block's matrix holds for."""
    if block.parameters is not None:
        yield [_named(scenario, name, index, text) for index, text in enumerate(block.parameters)]
        _refuse_twice(scenario, name, block.parameters)
        return
    assert block.parameter is not None
    assert block.across is not None
    parameter, levels = split_reference(block.parameter)
    if levels is not None:
        raise scenario.error(
            ("dependence", name, "parameter"), f"{block.parameter!r} is one element: name the whole parameter"
        )
    axes = scenario.document.parameters[parameter].index
    if block.across not in axes:
        listed = ", ".join(axes) or "no axis"
        raise scenario.error(
            ("dependence", name, "across"), f"{parameter!r} is indexed by {listed}, not by {block.across!r}"
        )
    across = scenario.levels(block.across)
    if isinstance(block.spearman, tuple) and len(block.spearman) != len(across):
        raise scenario.error(
            ("dependence", name, "spearman"),
            f"must be one number or {len(across)} x {len(across)} for the levels of {block.across} "
            f"({', '.join(across)}), got {len(block.spearman)} x {len(block.spearman)}",
        )
    others = [axis for axis in axes if axis != block.across]
    for combination in itertools.product(*(scenario.levels(axis) for axis in others)):
        place: Mapping[str, str] = dict(zip(others, combination, strict=True))
        yield [scenario.element(parameter, {**place, block.across: level}) for level in across]


def _named(scenario: Scenario, name: str, index: int, text: str) -> ParameterElement:
    parameter, levels = split_reference(text)
    axes = scenario.document.parameters[parameter].index
    if axes and levels is None:
        first = ",".join(scenario.levels(axis)[0] for axis in axes)
        raise scenario.error(
            ("dependence", name, "parameters", index),
            f"{text!r} is indexed by {', '.join(axes)}: name one element, such as '{parameter}[{first}]'",
        )
    return scenario.element(text, {})


def _refuse_twice(scenario: Scenario, name: str, texts: Sequence[str]) -> None:
    seen: set[str] = set()
    for index, text in enumerate(texts):
        element = scenario.element(text, {}).name
        if element in seen:
            raise scenario.error(("dependence", name, "parameters", index), f"{element!r} is listed twice")
        seen.add(element)


def _usable(
    scenario: Scenario, name: str, element: ParameterElement, used: Sequence[str], left_out: dict[str, None]
) -> bool:
    """Return whether an element takes part; one that is fixed or not used is noted in ``left_out``."""
    if element.distribution.is_category:
        key = "parameter" if scenario.document.dependence[name].parameters is None else "parameters"
        raise scenario.error(
            ("dependence", name, key),
            f"{element.name!r} is a choice ({element.distribution.family}), which has no rank correlation",
        )
    if element.distribution.family in _FIXED or element.name not in used:
        left_out[element.name] = None
        return False
    return True


def _state(
    scenario: Scenario,
    name: str,
    pair: tuple[str, str],
    spearman: float,
    stated: dict[tuple[str, str], tuple[float, str]],
) -> None:
    known, where = stated.setdefault(pair, (spearman, name))
    if known != spearman:
        raise scenario.error(
            ("dependence", name, "spearman"),
            f"{pair[0]!r} and {pair[1]!r}: {spearman:g} here, but dependence.{where} says {known:g}",
        )


def _groups(
    scenario: Scenario, used: Sequence[str], stated: Mapping[tuple[str, str], tuple[float, str]]
) -> Iterator[DependentGroup]:
    members = sorted({name for pair in stated for name in pair}, key=used.index)
    place = {name: number for number, name in enumerate(members)}
    asked, known = np.eye(len(members)), np.eye(len(members), dtype=np.bool_)
    for (first, second), (spearman, _) in stated.items():
        i, j = place[first], place[second]
        asked[i, j] = asked[j, i] = spearman
        known[i, j] = known[j, i] = True
    elements = scenario.elements()
    for group in connected_groups(asked != 0.0):
        own = np.ix_(group, group)
        pearson = scores_from_ranks(asked[own])
        names = [members[i] for i in group]
        blocks = dict.fromkeys(block for pair, (_, block) in stated.items() if pair[0] in names)
        made = DependentGroup(
            columns=tuple(elements[name].columns[0] for name in names),
            asked=asked[own],
            stated=known[own],
            pearson=pearson if is_valid(pearson) else nearest_correlation(pearson),
            blocks=tuple(blocks),
        )
        if made.largest_change > LARGEST_REPAIR:
            worst = made.worst_pair
            raise scenario.error(
                ("dependence", made.blocks[0], "spearman"),
                f"these rank correlations fit no joint law: the nearest one that does has {worst.got:.3f} between "
                f"{worst.first!r} and {worst.second!r} instead of {worst.asked:g}, a change of "
                f"{abs(worst.got - worst.asked):.3f}, limit {LARGEST_REPAIR:g}",
            )
        yield made


def _repair_text(group: DependentGroup) -> str:
    worst = group.worst_pair
    return (
        f"these rank correlations fit no joint law and were changed to the nearest that do: by at most "
        f"{group.largest_change:.2g}, {worst.first!r} and {worst.second!r} from {worst.asked:g} to {worst.got:.4f}"
    )
