"""Checks that need the whole scenario: do names exist, do rules cover the strata, do parameters fit their use?

They run in stages, because a later one trusts what an earlier one has found sound. Each check yields errors; the first
is shown, with the number of the others of its stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from simcore.errors import ScenarioError
from simcore.scenario.design import check_design
from simcore.scenario.fields import CONTINUE, ENTRY, REST, ParameterReference, Rule, Selector, split_reference
from simcore.scenario.locations import KeyPath, show_path
from simcore.scenario.references import Reference
from simcore.scenario.remarks import add_warnings
from simcore.scenario.rewards import LARGEST_AMOUNT, LARGEST_VARIATION, check_rewards
from simcore.scenario.schema import MOST_RISK_BITS
from simcore.scenario.switches import check_switches, components_of, support_of
from simcore.scenario.walk import walk

if TYPE_CHECKING:
    from simcore.scenario.validated import Scenario

Check = Callable[["Scenario"], Iterator[ScenarioError]]

_LIMITS = {
    "probability": (0.0, 1.0),
    "hazard": (0.0, math.inf),
    "factor": (0.0, math.inf),
    "standard_deviation": (0.0, math.inf),
    "odds_ratio": (0.0, math.inf),
    "reward": (0.0, LARGEST_AMOUNT),
    "variation": (0.0, LARGEST_VARIATION),
    "log_effect": (-math.inf, math.inf),
    "mean_share": (0.0, 1.0),
    "correlation": (0.0, 1.0),
    "category": (-math.inf, math.inf),
}
# A distribution without an end is held to these by the largest value that it can be drawn as, when it is compiled.
_LIMITS_OF_DRAWS = ("reward", "variation")
_SUM_TOLERANCE = 1e-9


def check_scenario(scenario: Scenario) -> None:
    """Raise the first mistake of a scenario, and add to its warnings what is odd but not wrong.

    Raises
    ------
    ScenarioError
        One line: file, line, key, what is wrong; and how many other mistakes there are.
    """
    stages: tuple[tuple[Check, ...], ...] = (
        (check_groups,),
        (check_selectors, check_axes, check_roles, check_graph, check_rewards, check_sources, check_parameters_exist),
        (check_switches,),
        (check_simplices,),
        (check_rules,),
        (check_journeys,),
        (check_uses,),
        (check_combined_shares, check_dependence, check_design),
    )
    for checks in stages:
        errors = [error for check in checks for error in check(scenario)]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            raise ScenarioError(f"{errors[0]}{more}")
    add_warnings(scenario)


def _known(scenario: Scenario, key: KeyPath, what: str, name: str, known: tuple[str, ...]) -> Iterator[ScenarioError]:
    if name not in known:
        yield scenario.error(key, scenario.unknown(what, name, known))


def _documents(scenario: Scenario) -> Iterator[tuple[object, KeyPath]]:
    """Yield (validated table, its key path): the file, and the table of every at-risk model in use."""
    yield scenario.document, ()
    for name, (_, block) in scenario.at_risk_in_use.items():
        yield block, ("at_risk", name)


def check_groups(scenario: Scenario) -> Iterator[ScenarioError]:
    """Members of groups are levels, and no group is called like a level."""
    for axis, groups in scenario.document.groups.items():
        for name, members in groups.items():
            if name in scenario.levels(axis):
                yield scenario.error(("groups", axis, name), f"{name!r} is a level of {axis} already")
            for index, member in enumerate(members):
                yield from _known(scenario, ("groups", axis, name, index), axis, member, scenario.levels(axis))


def check_selectors(scenario: Scenario) -> Iterator[ScenarioError]:
    """Every ``where`` names levels or groups that exist."""
    selectors: list[tuple[KeyPath, Selector]] = []
    for value, prefix in _documents(scenario):
        selectors += [((*path, "where"), rule.where) for path, rule in walk(value, prefix) if isinstance(rule, Rule)]
    selectors.append((("at_risk", "active"), scenario.document.at_risk.active))
    for key, selector in selectors:
        for axis, names in (selector or {}).items():
            known = (*scenario.levels(axis), *scenario.document.groups.get(axis, ()))
            for name in names:
                yield from _known(scenario, (*key, axis), axis, name, known)


def check_axes(scenario: Scenario) -> Iterator[ScenarioError]:
    """Axes are listed once, and nobody's activity depends on the kind of exploitation."""
    document = scenario.document
    listed: dict[KeyPath, tuple[str, ...]] = {("store", "by"): document.store.by}
    listed |= {("event", "shared_effects", name, "index"): e.index for name, e in document.event.shared_effects.items()}
    for key, axes in listed.items():
        if len(set(axes)) < len(axes):
            yield scenario.error(key, f"an axis is listed twice: {', '.join(axes)}")
    if "exploitation" in (document.at_risk.active or {}):
        key = ("at_risk", "active", "exploitation")
        yield scenario.error(key, "persons are active, not events: only origin, sex and age_band can be named")


def check_roles(scenario: Scenario) -> Iterator[ScenarioError]:
    """The bound destination, causes and risk bits."""
    document = scenario.document
    yield from _known(
        scenario, ("destinations", "bound"), "destination", document.destinations.bound, scenario.levels("destination")
    )
    bits = len(scenario.risk_levels)
    if bits > MOST_RISK_BITS:
        key: KeyPath = ("strata", "exploitation")
        yield scenario.error(key, f"{bits} levels have a risk of their own, limit {MOST_RISK_BITS}")
    if bits > 1 and document.at_risk.odds_ratio is None:
        key = ("at_risk", "odds_ratio")
        yield scenario.error(key, f"missing key: {bits} exploitation levels have a risk of their own")
    for name, leg in document.transit.legs.items():
        for cause in leg.net or {}:
            yield from _known(
                scenario, ("transit", "legs", name, "net", cause), "cause", cause, scenario.levels("cause")
            )
    for name, modifier in document.transit.modifiers.items():
        for index, cause in enumerate(modifier.causes or ()):
            key = ("transit", "modifiers", name, "causes", index)
            yield from _known(scenario, key, "cause", cause, scenario.levels("cause"))
        for index, leg_name in enumerate(modifier.legs or ()):
            key = ("transit", "modifiers", name, "legs", index)
            yield from _known(scenario, key, "leg", leg_name, scenario.levels("leg"))


def check_graph(scenario: Scenario) -> Iterator[ScenarioError]:
    """Legs, entries, returns and branches name points and legs that exist and fit together."""
    transit, points, legs = scenario.document.transit, scenario.levels("point"), scenario.levels("leg")
    border = transit.arrival_point
    yield from _known(scenario, ("transit", "arrival_point"), "point", border, points)
    for name, entry in transit.entry.items():
        key: KeyPath = ("transit", "entry", name, "point")
        yield from _known(scenario, key, "point", entry.point, points)
        if entry.point == border:
            yield scenario.error(key, f"{border!r} is the arrival point: a journey cannot begin there")
    for name, leg in transit.legs.items():
        key = ("transit", "legs", name)
        yield from _known(scenario, (*key, "from"), "point", leg.from_, points)
        yield from _known(scenario, (*key, "to"), "point", leg.to, points)
        if leg.from_ == leg.to:
            yield scenario.error((*key, "to"), f"a cycle within an attempt: {leg.from_} -> {leg.to} (legs {name})")
        if leg.from_ == border:
            yield scenario.error((*key, "from"), f"{border!r} is the arrival point: no leg can leave it")
        for rule_name, rule in (leg.returned_to or {}).items():
            place = (*key, "returned_to", rule_name, "point")
            if rule.point != ENTRY:
                yield from _known(scenario, place, "point", rule.point, (*points, ENTRY))
            if rule.point == border:
                yield scenario.error(place, f"{border!r} is the arrival point: nobody is returned to it")
    for point, rules in transit.branches.items():
        yield from _known(scenario, ("transit", "branches", point), "point", point, points)
        leaving = tuple(name for name in legs if transit.legs[name].from_ == point)
        for name, branch in rules.items():
            key = ("transit", "branches", point, name)
            if branch.leg is not None:
                yield from _known(scenario, (*key, "leg"), f"leg from {point}", branch.leg, leaving)
            elif isinstance(branch.shares, dict):
                for leg_name in branch.shares:
                    yield from _known(scenario, (*key, "shares", leg_name), f"leg from {point}", leg_name, leaving)


def check_sources(scenario: Scenario) -> Iterator[ScenarioError]:
    """Every cited source is described."""
    document = scenario.document
    cited: list[tuple[KeyPath, str]] = [
        (("population", "source"), source) for source in document.population.source or ()
    ]
    for name, parameter in document.parameters.items():
        cited += [(("parameters", name, "source"), source) for source in parameter.source or ()]
    for name, reward in document.rewards.items():
        cited += [(("rewards", name, "source"), source) for source in reward.source or ()]
    for key, source in cited:
        if document.sources is None:
            yield scenario.error(key, f"unknown source {source!r}: the scenario has no table of sources")
        elif source not in scenario.sources:
            yield scenario.error(key, scenario.unknown("source", source, scenario.sources))


def check_parameters_exist(scenario: Scenario) -> Iterator[ScenarioError]:
    """Every reference names a parameter, and its levels fit the parameter's index."""
    parameters = scenario.document.parameters
    for value, prefix in _documents(scenario):
        for key, text in walk(value, prefix):
            if not isinstance(text, ParameterReference):
                continue
            name, levels = split_reference(text)
            if name not in parameters:
                yield scenario.error(key, scenario.unknown("parameter", name, parameters))
            elif levels is not None and len(levels) != len(parameters[name].index):
                index = ", ".join(parameters[name].index) or "no axis"
                yield scenario.error(key, f"{text!r} gives {len(levels)} levels, but {name!r} is indexed by {index}")
            elif levels is not None:
                for axis, level in zip(parameters[name].index, levels, strict=True):
                    yield from _known(scenario, key, axis, level, scenario.levels(axis))


def check_simplices(scenario: Scenario) -> Iterator[ScenarioError]:
    """Components of shares are the destinations, the legs of the point, or CONTINUE and causes."""
    document = scenario.document
    for name, rule in document.destinations.split.items():
        key: KeyPath = ("destinations", "split", name, "shares")
        known = scenario.levels("destination")
        yield from check_components(scenario, key, rule.shares, "destination", known, whole=True)
    for point, rules in document.transit.branches.items():
        leaving = tuple(leg for leg, entry in document.transit.legs.items() if entry.from_ == point)
        for name, branch in rules.items():
            key = ("transit", "branches", point, name, "shares")
            if isinstance(branch.shares, str):
                yield from check_components(scenario, key, branch.shares, f"leg from {point}", leaving)
            elif branch.shares is not None:
                yield from _share_table(scenario, key, branch.shares)
    for name, leg in document.transit.legs.items():
        if leg.split is not None:
            key = ("transit", "legs", name, "split")
            known = (CONTINUE, *scenario.levels("cause"))
            yield from check_components(scenario, key, leg.split, "cause", known, needed=(CONTINUE,))


def check_components(
    scenario: Scenario,
    key: KeyPath,
    text: str,
    what: str,
    known: tuple[str, ...],
    *,
    whole: bool = False,
    needed: tuple[str, ...] = (),
) -> Iterator[ScenarioError]:
    """Yield what is wrong with the simplex ``text`` at ``key``: its components must be ``known``, and ``needed`` there.

    ``what`` names a component in messages; with ``whole`` every known one is needed.
    """
    name, _ = split_reference(text)
    distribution = scenario.document.parameters[name].distribution
    components = components_of(scenario, name)
    if not components:
        yield scenario.error(key, f"{name!r} is one number ({distribution.family}), but shares are needed here")
        return
    table = {"fixed_shares": "shares", "switch": "cases"}.get(distribution.family)
    table = table or ("means" if getattr(distribution, "means", None) is not None else "alpha")
    place: KeyPath = ("parameters", name, "distribution", table)
    for component in components:
        if component not in known:
            unknown = scenario.unknown(what, component, known)
            yield scenario.error((*place, component), f"{unknown} (used in {show_path(key)})")
    for component in known if whole else needed:
        if component not in components:
            yield scenario.error((*place, component), f"missing key (needed in {show_path(key)})")


def _share_table(scenario: Scenario, key: KeyPath, shares: Mapping[str, str]) -> Iterator[ScenarioError]:
    """Shares beside a rest cannot sum to more than one."""
    total = 0.0
    for text in shares.values():
        if text != REST:
            name, _ = split_reference(text)
            total += 0.0 if components_of(scenario, name) else support_of(scenario, name)[1]
    count = len(shares) - 1
    if count > 1 and total > 1.0 + _SUM_TOLERANCE:
        yield scenario.error(key, f"the {count} shares beside the rest can sum to {total:g}, limit 1")


def _sound(attempt: Callable[[], object]) -> Iterator[ScenarioError]:
    try:
        attempt()
    except ScenarioError as error:
        yield error


def check_rules(scenario: Scenario) -> Iterator[ScenarioError]:
    """Hazards, destinations, at-risk shares and entry points: one rule for every active stratum."""
    document = scenario.document
    yield from _sound(lambda: scenario.choose_each(document.event.hazards, scenario.strata_at_risk, "event.hazards"))
    split = document.destinations.split
    yield from _sound(lambda: scenario.choose_each(split, scenario.active_strata, "destinations.split"))
    yield from _sound(lambda: scenario.choose_each(document.transit.entry, scenario.active_strata, "transit.entry"))
    yield from _sound(lambda: list(scenario.at_risk_model.references(scenario.at_risk_block, scenario)))


def check_journeys(scenario: Scenario) -> Iterator[ScenarioError]:
    """From every entry point the border can be reached, on legs without a cycle; interceptions can be answered."""
    errors: dict[str, ScenarioError] = {}
    intercepted = []
    for place in scenario.active_strata:
        try:
            if scenario.journey(place).returned:
                intercepted.append(place)
        except ScenarioError as error:
            errors[str(error)] = error
    yield from errors.values()
    if not errors:
        reattempt = scenario.document.transit.reattempt
        yield from _sound(lambda: scenario.choose_each(reattempt, intercepted, "transit.reattempt"))


def check_uses(scenario: Scenario) -> Iterator[ScenarioError]:
    """Parameters stay within what their use allows, and have one level on each index axis wherever they are used."""
    seen: set[tuple[str, str]] = set()
    for reference in scenario.references():
        name, levels = split_reference(reference.text)
        parameter = scenario.document.parameters[name]
        if levels is None and reference.uses:
            for axis in parameter.index:
                if axis not in reference.uses[0]:
                    yield scenario.error(
                        reference.key, f"{name!r} is indexed by {axis!r}, which has no single level here"
                    )
        is_simplex = bool(components_of(scenario, name))
        if reference.role == "category" and is_simplex:
            yield scenario.error(reference.key, f"{name!r} is a vector of shares, but a choice is needed here")
        elif is_simplex != (reference.role == "shares"):
            kind = "a vector of shares" if is_simplex else "one number"
            wanted = "shares are" if reference.role == "shares" else f"one number (a {_words(reference)}) is"
            yield scenario.error(reference.key, f"{name!r} is {kind}, but {wanted} needed here")
        elif parameter.distribution.is_category != (reference.role == "category"):
            family = parameter.distribution.family
            kind, wanted = f"a quantity ({family})", "a choice (categorical or discrete_uniform)"
            if parameter.distribution.is_category:
                kind, wanted = f"a choice ({family})", f"a quantity (a {_words(reference)})"
            yield scenario.error(reference.key, f"{name!r} is {kind}, but {wanted} is needed here")
        elif reference.role != "shares" and (name, reference.role) not in seen:
            seen.add((name, reference.role))
            yield from _within_limits(scenario, reference, name)


def check_combined_shares(scenario: Scenario) -> Iterator[ScenarioError]:
    """Shares of combined exploitation levels leave room for each other: their largest values sum to at most one."""
    levels = scenario.document.strata.exploitation
    largest = 0.0
    for name, level in levels.items():
        if level.share is None:
            continue
        largest += support_of(scenario, split_reference(level.share)[0])[1]
        if largest > 1.0 + _SUM_TOLERANCE:
            yield scenario.error(
                ("strata", "exploitation", name, "share"),
                f"the shares of combined levels may sum to {largest:g}, limit 1: an event belongs to one level only",
            )
            return


def check_dependence(scenario: Scenario) -> Iterator[ScenarioError]:
    """Stated rank correlations are about numbers that are drawn, do not contradict each other and fit a joint law."""
    yield from _sound(lambda: scenario.dependence_report)


def _words(reference: Reference) -> str:
    return reference.role.replace("_", " ")


def _within_limits(scenario: Scenario, reference: Reference, name: str) -> Iterator[ScenarioError]:
    distribution = scenario.document.parameters[name].distribution
    if distribution.family == "switch":  # its cases have the limits
        return
    lowest, highest = distribution.support()
    least, most = _LIMITS[reference.role]
    if highest == math.inf and reference.role in _LIMITS_OF_DRAWS:
        most = math.inf
    is_anchor = reference.role == "mean_share"
    below = lowest < least or (reference.role == "odds_ratio" and lowest == 0.0 and distribution.lowest_is_reached)
    below = below or (is_anchor and not highest > least)
    if not below and not highest > most and not (is_anchor and not lowest < most):
        return
    end, value = ("min", lowest) if below else ("max", highest)
    key: KeyPath = ("parameters", name, "distribution")
    fields = type(distribution).model_fields
    advice = ""
    if "value" in fields:
        key = (*key, "value")
    elif end in fields:
        key = (*key, end)
    elif "lower" in fields:
        advice = f"; add `lower = {least:g}`" if below else f"; add `upper = {most:g}`"
        if below and reference.role == "odds_ratio":
            advice = "; add a `lower` above 0"
    limit = "above 0" if reference.role == "odds_ratio" else (f"{least:g} or more" if below else f"{most:g} or less")
    if reference.role in ("probability", "correlation"):
        limit = "from 0 to 1"
    elif is_anchor:
        limit = "between 0 and 1"
    got = f"got {value:g}" if key[-1] != "distribution" else f"but this {distribution.family} reaches {value:g}"
    text = f"a {_words(reference)} must be {limit}, {got} (used in {show_path(reference.key)}){advice}"
    yield scenario.error(key, text)
