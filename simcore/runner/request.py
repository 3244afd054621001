"""A run as it was asked for, and made ready: everything that decides its numbers, from arguments or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simcore.errors import ResultsError
from simcore.model import RESULTS_VERSION, compile_model, frequent_event_share
from simcore.runner.blocks import Work
from simcore.runner.choice import choose_engine
from simcore.runner.embedding import design_documents, embedded_documents
from simcore.runner.identity import completed, rows_id
from simcore.runner.slots import make_slots, stored_axes
from simcore.runner.stopping import Stopping, StoppingRule, read_rule
from simcore.store.description import Attribute
from simcore.store.heads import Head
from simcore.store.provenance import environment, utc_now
from simcore.uncertainty.design import Design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

GENERATOR = "Philox4x32-10"
SETTINGS = "scenario_settings"
"""Root attribute: what was set on top of the scenario's file, a line each; absent if nothing was."""
MOST_HISTORY = 200
"""Lines of a file's history; of a longer one its first line and the last ones are kept."""


@dataclass(frozen=True)
class RunRequest:
    """Everything that decides the numbers of a run.

    Attributes
    ----------
    scenario : Scenario
    design : Design
    seed : int
    engine, walker : str
        Asked for.
    store_by : tuple of str or None
        Axes to keep apart; None for those of the scenario's ``[store]``.
    store_ended, store_theta : bool
    stopping : Stopping, optional
    """

    scenario: Scenario
    design: Design
    seed: int
    engine: str
    walker: str
    store_by: tuple[str, ...] | None
    store_ended: bool
    store_theta: bool
    stopping: Stopping | None = None


@dataclass(frozen=True)
class PreparedRun:
    """A run with everything compiled.

    Attributes
    ----------
    request : RunRequest
    work : Work
    head : Head
        What its file says before the first block.
    rows_id : str
    """

    request: RunRequest
    work: Work
    head: Head
    rows_id: str

    @property
    def identity(self) -> dict[str, Attribute]:
        """Root attributes, with those that the store adds, by which two runs are compared."""
        design = self.request.design
        return {
            **self.head.attributes,
            "requested_replicates": design.replicates,
            "nested": [design.outer, design.inner],
        }


def prepare(request: RunRequest, *, command_line: str = "") -> PreparedRun:
    """Compile everything that a run needs.

    Raises
    ------
    UserError
        If an argument cannot be used.
    """
    scenario, design = request.scenario, request.design
    model = compile_model(scenario, routes=request.walker == "collapsed")
    slots = make_slots(model, by=request.store_by, ended=request.store_ended)
    streams = model.streams(request.seed, design)
    choice = choose_engine(
        model, streams, slots.stratum_slot, thetas=design.outer, engine=request.engine, walker=request.walker
    )
    attributes: dict[str, Attribute] = {
        "scenario_name": scenario.name,
        "scenario_title": scenario.document.title,
        "definition": scenario.document.definition,
        "cohort_year": scenario.document.cohort_year,
        "scenario_digest": scenario.digest,
        **({SETTINGS: "\n".join(scenario.settings)} if scenario.settings else {}),
        "results_version": RESULTS_VERSION,
        "seed": str(request.seed),
        "generator": GENERATOR,
        "design": design.kind,
        "randomisation": design.randomisation,
        "engine": choice.engine,
        "engine_asked": request.engine,
        "engine_reason": choice.reason,
        "walker": request.walker,
        "store_by": ",".join(stored_axes(model, request.store_by)),
        "ended": int(request.store_ended),
        "theta": int(request.store_theta),
        **({} if request.stopping is None else request.stopping.identity),
        "frequent_event_share": frequent_event_share(model, streams, design.outer),
        "command_line": command_line,
        "started_utc": utc_now(),
        **environment(),
    }
    name = rows_id(attributes, slots.layout, inner=design.inner, outer=design.outer)
    head = Head(
        design.replicates,
        design.outer,
        request.store_theta,
        attributes,
        embedded_documents(scenario) | design_documents(model, design),
        name,
    )
    return PreparedRun(request, Work(model, streams, slots, design, choice), head, name)


def request_of(
    attributes: Mapping[str, Attribute],
    scenario: Scenario,
    design: Design,
    place: str,
    until: StoppingRule | None = None,
) -> RunRequest:
    """Return the request that a file, or an unfinished run, came from.

    Parameters
    ----------
    attributes : mapping
        Root attributes.
    scenario : Scenario
        From inside the file.
    design : Design
    place : str
        For messages.
    until : StoppingRule, optional
        The rule itself, where its words cannot be read again.

    Raises
    ------
    ResultsError
        If an attribute is missing or not what it should be.
    """
    found = completed(attributes)
    stopping = None
    try:
        if "until" in found:
            rule = until if until is not None else read_rule(list(found["until"]), scenario)  # type: ignore[arg-type]
            stopping = Stopping(rule, design, int(found["until_minimum"]))  # type: ignore[arg-type]
        return RunRequest(
            scenario,
            design,
            _seed(found["seed"]),
            str(found["engine"]),  # the one that was chosen: another choice would be another run
            str(found["walker"]),
            tuple(name for name in str(found["store_by"]).split(",") if name),
            bool(found["ended"]),
            bool(found["theta"]),
            stopping,
        )
    except (KeyError, ValueError, TypeError) as problem:
        raise ResultsError(f"{place}: does not say how it was made (attribute {problem})") from None


def _seed(stored: object) -> int:
    seed = int(str(stored))
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed = {seed}")
    return seed


def design_of(attributes: Mapping[str, Attribute], outer: int, inner: int, place: str) -> Design:
    """Return the design of a file, or of an unfinished run."""
    found = completed(attributes)
    try:
        return Design(outer, inner, str(found["design"]), int(found["randomisation"]))  # type: ignore[arg-type]
    except (ValueError, TypeError) as problem:
        raise ResultsError(f"{place}: does not say how it was made (attribute {problem})") from None


def going_on(prepared: PreparedRun, attributes: Mapping[str, Attribute], event: str) -> PreparedRun:
    """Return a prepared run that says where its beginning came from.

    What the earlier attributes say stays (first start, command line, environment, the engine that was asked for);
    `event` is added to the file's history, unless it is empty.
    """
    kept = {name: value for name, value in attributes.items() if name in (*prepared.head.attributes, SETTINGS)}
    now = prepared.head.attributes
    kept["frequent_event_share"] = now["frequent_event_share"]  # of as many parameter sets as there are now
    before = attributes.get("history", [])
    history = [str(line) for line in before] if isinstance(before, list | tuple) else []
    history += [event] if event else []
    if len(history) > MOST_HISTORY:
        history = [history[0], *history[-(MOST_HISTORY - 1) :]]
    merged = {**now, **kept, **({"history": history} if history else {})}
    return replace(prepared, head=replace(prepared.head, attributes=merged))
