"""The scenario file, table by table (schema_version 1).

These classes say which keys exist, of what kind and within which limits. What needs the whole scenario (does the leg
exist? does a parameter stay a probability?) is checked in `simcore.scenario.checks`. Tables whose keys are free
(levels, points, legs, rules, parameters) are dicts that keep the file's order; the order of levels, points and legs is
meaningful.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from simcore.errors import nearest
from simcore.scenario.covariates import CovariatesTable
from simcore.scenario.dependence import DependenceBlock
from simcore.scenario.design import DesignTable
from simcore.scenario.distributions import Distribution
from simcore.scenario.fields import (
    REST,
    STRATA_AXES,
    Grade,
    IndexAxis,
    Level,
    Line,
    Listed,
    Name,
    Number,
    ParameterName,
    Place,
    ReferenceText,
    Rule,
    Selector,
    StrataAxis,
    Table,
    Whole,
    check_reference,
    problem,
    shown,
)
from simcore.scenario.rewards import Reward

SCHEMA_VERSION = 1
LARGEST_ATTEMPT_CAP = 1000
MOST_POINTS = 62
MOST_RISK_BITS = 4
MOST_EXPLOITATIONS = 64
MOST_STRATA = 1_000_000
MOST_DESTINATIONS = 256
MOST_OUTCOMES = 256
MOST_LEGS = 1_000
MOST_PARAMETERS = 10_000
OLDEST_AGE = 150

Age = Annotated[Whole, Field(ge=0, le=OLDEST_AGE)]
Axes = tuple[StrataAxis, ...]


class Labelled(Table):
    """A level, point, outcome: its key is what code and results use, its label is for people."""

    label: Line | None = None


class AgeBand(Labelled):
    """Completed years from `from_` to `to`, both included; `to` None is open-ended.

    With both None the population table must name the band.
    """

    from_: Age | None = Field(default=None, alias="from")
    to: Age | None = None

    @model_validator(mode="after")
    def _is_ordered(self) -> AgeBand:
        if self.to is not None and self.to < (self.from_ or 0):
            raise problem(f"must not be below from ({self.from_ or 0}), got {self.to}", key="to")
        return self

    @property
    def first_age(self) -> int | None:
        """The youngest age, or None for a band without ages."""
        return 0 if self.from_ is None and self.to is not None else self.from_


class Exploitation(Labelled):
    """A kind of exploitation; with `combines`, events of persons at risk of all of those, `share` of which it takes."""

    combines: Listed | None = None
    share: ReferenceText | None = None

    @model_validator(mode="after")
    def _combines_with_share(self) -> Exploitation:
        if (self.combines is None) != (self.share is None):
            missing, given = ("share", "combines") if self.share is None else ("combines", "share")
            raise problem(f"missing key: it goes with {given}", key=missing)
        if self.combines is not None and len(self.combines) < 2:
            raise problem(f"must name at least 2 levels, got {shown(list(self.combines))}", key="combines")
        return self


class Strata(Table):
    """The axes of the population and of events, each a keyed table of levels."""

    origin: dict[Level, Labelled] = Field(min_length=1)
    sex: dict[Level, Labelled] = Field(min_length=1)
    age_band: dict[Level, AgeBand] = Field(min_length=1)
    exploitation: dict[Level, Exploitation] = Field(min_length=1, max_length=MOST_EXPLOITATIONS)

    @model_validator(mode="after")
    def _strata_can_be_counted(self) -> Strata:
        sizes = [len(self.levels(axis)) for axis in STRATA_AXES]
        if math.prod(sizes) > MOST_STRATA:
            raise problem(f"{' x '.join(map(str, sizes))} = {math.prod(sizes)} strata, limit {MOST_STRATA}")
        return self

    @model_validator(mode="after")
    def _bands_are_apart(self) -> Strata:
        taken: dict[int, str] = {}
        for name, band in self.age_band.items():
            if band.first_age is None:
                continue
            last = OLDEST_AGE if band.to is None else band.to
            for age in range(band.first_age, last + 1):
                if age in taken:
                    raise problem(f"{name} and {taken[age]} both hold age {age}", key=("age_band", name))
                taken[age] = name
        return self

    @model_validator(mode="after")
    def _combined_levels_have_risks(self) -> Strata:
        for name, level in self.exploitation.items():
            for part in level.combines or ():
                known = [other for other, entry in self.exploitation.items() if entry.combines is None]
                if part not in known:
                    raise problem(
                        f"{name} combines {shown(part)}, which is not a level with a risk of its own"
                        + (nearest(part, known) or f" (those are {', '.join(known) or 'none'})"),
                        key=("exploitation", name, "combines"),
                    )
        if all(level.combines is not None for level in self.exploitation.values()):
            raise problem("no level has a risk of its own", key="exploitation")
        return self

    def levels(self, axis: StrataAxis) -> tuple[str, ...]:
        """Level names of an axis in order."""
        return tuple(getattr(self, axis))


class Sources(Table):
    """Where the sources are described; on request also a catalogue of open sources, and the figures behind priors."""

    table: str
    catalogue: Listed | None = None
    evidence: str | None = None


class PopulationCell(Table):
    """Persons of one cell."""

    origin: str
    sex: str
    age_band: str
    persons: Annotated[Number, Field(ge=0)]


class Population(Table):
    """Mid-year persons by origin, sex and age: from a table or as a list of cells."""

    table: str | None = None
    cells: tuple[PopulationCell, ...] | None = None
    year: Whole | None = None
    factor: ReferenceText | None = None
    grade: Grade | None = None
    source: Listed | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Population:
        if (self.table is None) == (self.cells is None):
            raise problem("give exactly one of table and cells, got " + ("neither" if self.table is None else "both"))
        if self.cells is not None and self.year is not None:
            raise problem("goes with a table, not with cells", key="year")
        if self.cells is not None and self.source is None and self.grade not in ("illustrative", "elicited"):
            raise problem("missing key: cells need a source, or grade = 'illustrative'", key="source")
        return self


class AtRisk(BaseModel):
    """Which at-risk model, and one table per model (named after it) that the model itself validates."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: Name
    odds_ratio: ReferenceText | None = None
    active: Selector = None

    @property
    def blocks(self) -> dict[str, Any]:
        """Model name -> its table, unvalidated."""
        return dict(self.model_extra or {})


class HazardRule(Rule):
    """Hazard of an event per at-risk person and year."""

    parameter: ReferenceText


class FactorRule(Rule):
    """A factor on a hazard or share; all rules that match multiply."""

    factor: ReferenceText


class SharedEffect(Table):
    """Log-normal factor exp(standard_deviation * z); z is drawn once per element of `index` and replicate."""

    index: Annotated[Axes, Field(min_length=1)]
    standard_deviation: ReferenceText


class Event(Table):
    """Trafficking events among the persons at risk."""

    hazards: dict[Name, HazardRule] = Field(min_length=1)
    multipliers: dict[Name, FactorRule] = Field(default={})
    shared_effects: dict[Name, SharedEffect] = Field(default={})


class SharesRule(Rule):
    """A vector of shares."""

    shares: ReferenceText


class Destinations(Table):
    """Where victims are taken; those of `bound` walk on."""

    bound: str
    levels: dict[Level, Labelled] = Field(min_length=1, max_length=MOST_DESTINATIONS)
    split: dict[Name, SharesRule] = Field(min_length=1)


class Outcomes(Table):
    """Absorbing states, in the order in which they are stored, and their roles."""

    arrival: str
    returned: str
    interception: Level | None = None
    levels: dict[Level, Labelled] = Field(min_length=2, max_length=MOST_OUTCOMES)

    @model_validator(mode="after")
    def _roles_exist(self) -> Outcomes:
        for role in ("arrival", "returned"):
            name = getattr(self, role)
            if name not in self.levels:
                raise problem(
                    f"unknown outcome {shown(name)}"
                    + (nearest(name, self.levels) or f" (known: {', '.join(self.levels)})"),
                    key=role,
                )
        if self.arrival == self.returned:
            raise problem(f"must differ from arrival, got {shown(self.returned)} twice", key="returned")
        if self.interception in self.levels:
            raise problem(
                f"{shown(self.interception)} ends an attempt, not the journey: it cannot be in levels too",
                key="interception",
            )
        return self

    @property
    def causes(self) -> tuple[str, ...]:
        """What can end an attempt short of the border: interception first if there is one, then terminal causes."""
        terminal = tuple(name for name in self.levels if name not in (self.arrival, self.returned))
        return ((self.interception,) if self.interception is not None else ()) + terminal


class PointRule(Rule):
    """A journey point."""

    point: str


class ReattemptRule(Rule):
    """Probability of another attempt after an interception, by attempt; the last one repeats."""

    probability: Annotated[
        tuple[ReferenceText, ...],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1, max_length=LARGEST_ATTEMPT_CAP),
    ]


def _reference_or_shares(value: Any) -> Any:
    """Check the two forms of branch shares here, so that messages speak of one form only."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise problem(f"must be a parameter or a table leg -> parameter, got {shown(value)}")
    for leg, share in value.items():
        if not isinstance(share, str):
            raise problem(f"must be text (a parameter or '{REST}'), got {shown(share)}", key=leg)
    rests = sum(share == REST for share in value.values())
    if rests != 1:
        raise problem(f"exactly one leg must take '{REST}', got {rests}")
    return value


def _mark_references(value: str | dict[str, str]) -> str | dict[str, str]:
    """Turn what names parameters into `ParameterReference`; pydantic drops the subclass in a union."""
    if isinstance(value, str):
        return check_reference(value)
    return {leg: share if share == REST else check_reference(share) for leg, share in value.items()}


class BranchRule(Rule):
    """The choice of a leg at a point: shares over legs, or the only leg."""

    shares: (
        Annotated[str | dict[str, str], BeforeValidator(_reference_or_shares), AfterValidator(_mark_references)] | None
    ) = None
    leg: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> BranchRule:
        if (self.shares is None) == (self.leg is None):
            raise problem("give exactly one of shares and leg, got " + ("neither" if self.leg is None else "both"))
        return self


def _point_becomes_rules(value: Any) -> Any:
    return {"default": {"point": value}} if isinstance(value, str) else value


class Leg(Labelled):
    """A leg between two points and what can happen on it.

    `net`: cause -> probability of that cause if it acted alone; causes left out never happen here. `split`: a simplex
    of CONTINUE and causes. `returned_to`: choice rules (a single point is the rule ``default``).
    """

    from_: str = Field(alias="from")
    to: str
    returned_to: Annotated[dict[Name, PointRule], BeforeValidator(_point_becomes_rules)] | None = None
    net: dict[str, ReferenceText] | None = None
    split: ReferenceText | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Leg:
        if (self.net is None) == (self.split is None):
            raise problem("give exactly one of net and split, got " + ("neither" if self.net is None else "both"))
        return self


class Modifier(Rule):
    """A factor on the hazards of some causes on some legs for some strata; None means all."""

    legs: Listed | None = None
    causes: Listed | None = None
    factor: ReferenceText


class Transit(Table):
    """The journey: points, legs, choices, re-attempts."""

    attempt_cap: Annotated[Whole, Field(ge=1, le=LARGEST_ATTEMPT_CAP)]
    attempt_effect: ReferenceText | None = None
    arrival_point: str
    points: dict[Place, Labelled] = Field(min_length=2, max_length=MOST_POINTS)
    entry: dict[Name, PointRule] = Field(min_length=1)
    reattempt: dict[Name, ReattemptRule] = Field(default={})
    branches: dict[str, dict[Name, BranchRule]] = Field(default={})
    legs: dict[Place, Leg] = Field(min_length=1, max_length=MOST_LEGS)
    modifiers: dict[Name, Modifier] = Field(default={})


class Parameter(Table):
    """One assumption: a distribution with unit, source and grade, drawn once per element of `index`."""

    distribution: Distribution
    unit: Line
    label: Line | None = None
    index: tuple[IndexAxis, ...] = ()
    source: Listed | None = None
    grade: Grade
    note: str | None = None

    @model_validator(mode="after")
    def _index_and_source(self) -> Parameter:
        if len(set(self.index)) < len(self.index):
            raise problem(f"an axis is listed twice: {shown(list(self.index))}", key="index")
        if self.source is None and self.grade in ("measured", "derived"):
            raise problem(f"missing key: grade {shown(self.grade)} needs a source", key="source")
        return self


class Store(Table):
    """Which axes the results keep apart; the others are summed out."""

    by: Axes = ("origin", "sex", "exploitation")


def _whole_version(value: Any) -> Any:
    """Refuse what only equals a version: true and 1.0."""
    if type(value) is not int:
        raise problem(f"must be a whole number, got {shown(value)}")
    return value


class Document(Table):
    """A whole scenario, patches applied."""

    schema_version: Annotated[Literal[1], BeforeValidator(_whole_version)]
    name: Name
    title: Line
    description: str = ""
    definition: Annotated[str, Field(min_length=1)]
    cohort_year: Annotated[Whole, Field(ge=1, le=9999)]
    exposure_years: Annotated[Number, Field(gt=0, le=100)] = 1.0
    strata: Strata
    groups: dict[StrataAxis, dict[Level, Listed]] = Field(default={})
    sources: Sources | None = None
    population: Population
    covariates: CovariatesTable | None = None
    at_risk: AtRisk
    event: Event
    destinations: Destinations
    outcomes: Outcomes
    transit: Transit
    rewards: dict[Name, Reward] = Field(default={})
    parameters: Annotated[dict[ParameterName, Parameter], Field(max_length=MOST_PARAMETERS)]
    dependence: dict[Name, DependenceBlock] = Field(default={})
    design: DesignTable | None = None
    store: Store = Store()
