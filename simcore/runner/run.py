"""`run`: simulate a scenario and store the result."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import ResultsError, UserError
from simcore.model import RESULTS_VERSION, as_scenario, compile_model, frequent_event_share
from simcore.runner.blocks import Work
from simcore.runner.choice import check_engine, choose_engine
from simcore.runner.embedding import design_documents, embedded_documents
from simcore.runner.progress import Progress
from simcore.runner.session import Session
from simcore.runner.slots import make_slots, stored_axes
from simcore.runner.stopping import Stopping, StoppingRule, read_rule
from simcore.store import Results, Writer, open_results
from simcore.store.description import Attribute
from simcore.store.provenance import environment, utc_now
from simcore.uncertainty.design import RANDOM, Design, make_design

if TYPE_CHECKING:
    from simcore.scenario import Scenario

GENERATOR = "Philox4x32-10"
# What makes two runs the same run: if all of these agree, so does every number.
IDENTITY = (
    "scenario_digest",
    "results_version",
    "seed",
    "requested_replicates",
    "nested",
    "design",
    "randomisation",
    "engine",
    "walker",
    "store_by",
    "ended",
    "theta",
)

BEFORE_DESIGNS: dict[str, Attribute] = {"design": RANDOM, "randomisation": 0}  # of a file that does not say

UNTIL_IDENTITY = ("until", "until_minimum")  # absent from a run without a stopping rule


def run(
    scenario: Scenario | str | os.PathLike[str],
    *,
    replicates: int | None = None,
    nested: tuple[int, int] | None = None,
    design: str = RANDOM,
    randomisation: int = 0,
    seed: int | None = None,
    output: str | os.PathLike[str] | None = None,
    engine: str = "agent",
    walker: str = "collapsed",
    threads: int | None = None,
    store_by: Sequence[str] | None = None,
    store_ended: bool = False,
    store_theta: bool = True,
    until: str | Sequence[str] | StoppingRule | None = None,
    until_minimum: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    command_line: str = "",
) -> Results:
    """Simulate a scenario and store every count of every replicate.

    Parameters
    ----------
    scenario : Scenario, or name or path of one
        From `load_scenario`.
    replicates : int, optional
        Replicates, each with its own draw of every parameter. Give this or ``nested``.
    nested : (int, int), optional
        Parameter sets, and replicates of each.
    design : {"random", "sobol", "lhs"}
        How parameter sets are spread: independent draws, a scrambled Sobol' sequence (a power of two of them) or a
        Latin hypercube. In a single loop the shared effects are part of it.
    randomisation : int
        Number of an independent randomisation of a Sobol' design or Latin hypercube; 0 for ``random``.
    seed : int, optional
        0 <= seed < 2**64; drawn and stored if not given. The same scenario and seed give the same numbers for any
        number of threads.
    output : path, optional
        Results file; without it the results are kept in memory. A file with the finished results of the same run is
        opened and returned; any other existing file is an error.
    engine : {"agent", "cohort", "auto"}
        Walk persons, move counts, or whatever is predicted to be faster; the law is the same. What was chosen, and why,
        is stored.
    walker : {"collapsed", "leg-by-leg"}
        Two ways to the same law; they agree in distribution, not in bits.
    threads : int, optional
        Worker threads; by default one per available processor.
    store_by : sequence of str, optional
        Axes to keep apart in the file; by default those of the scenario's ``[store]``.
    store_ended : bool
        Store ended attempts by leg and cause too.
    store_theta : bool
        Store the drawn parameters too.
    until : str, sequence of str, or StoppingRule, optional
        End before ``replicates`` at the end of the first block at which this holds (all of it, if several), such as
        ``"arrived.q95 mcse<=1%"``. The results are those of a run of exactly that many replicates.
    until_minimum : int, optional
        Replicates before which the rule is not asked; by default two blocks.
    progress : callable, optional
        Called with a `Progress` after every piece of work, in the calling thread.
    command_line : str, optional
        Stored with the results.

    Returns
    -------
    Results

    Raises
    ------
    UserError
        If an argument cannot be used.
    ResultsError
        If the output exists or cannot be written.
    RunInterrupted
        On KeyboardInterrupt: the block at hand is finished and the file closed first; a second interrupt stops at once.
    """
    scenario = as_scenario(scenario)
    loop = make_design(replicates, nested, design, randomisation)
    seed = _checked_seed(seed)
    check_engine(engine, walker)
    workers = _checked_threads(threads)
    stopping = _stopping(until, until_minimum, scenario, loop)
    model = compile_model(scenario, routes=walker == "collapsed")
    slots = make_slots(model, by=store_by, ended=store_ended)
    target = None if output is None else Path(output)
    streams = model.streams(seed, loop)
    choice = choose_engine(model, streams, slots.stratum_slot, thetas=loop.outer, engine=engine, walker=walker)
    attributes: dict[str, Attribute] = {
        "scenario_name": scenario.name,
        "scenario_title": scenario.document.title,
        "definition": scenario.document.definition,
        "cohort_year": scenario.document.cohort_year,
        "scenario_digest": scenario.digest,
        "results_version": RESULTS_VERSION,
        "seed": str(seed),
        "generator": GENERATOR,
        "design": loop.kind,
        "randomisation": loop.randomisation,
        "engine": choice.engine,
        "engine_asked": engine,
        "engine_reason": choice.reason,
        "walker": walker,
        "store_by": ",".join(stored_axes(model, store_by)),
        "ended": int(store_ended),
        "theta": int(store_theta),
        **({} if stopping is None else stopping.identity),
        "command_line": command_line,
        "started_utc": utc_now(),
        **environment(),
    }
    if target is not None and os.path.lexists(target):
        return _same_results(target, attributes, loop)
    attributes["frequent_event_share"] = frequent_event_share(model, streams, loop.outer)
    work = Work(model, streams, slots, loop, choice)
    with Writer(
        target,
        slots.layout,
        replicates=loop.replicates,
        thetas=loop.outer,
        attributes=attributes,
        documents=embedded_documents(scenario) | design_documents(model, loop),
        store_theta=store_theta,
    ) as writer:
        return Session(work, writer, workers, store_theta, progress, stopping).run()


def _stopping(
    until: str | Sequence[str] | StoppingRule | None, minimum: int | None, scenario: Scenario, design: Design
) -> Stopping | None:
    if until is not None:
        if design.kind != RANDOM:
            raise UserError(
                f"until, design = '{design.kind}': a rule counts independent replicates, and only all points of this "
                "design together are even; use design 'random'"
            )
        return Stopping(read_rule(until, scenario), design, minimum)
    if minimum is not None:
        raise UserError(f"until_minimum = {minimum}: there is no rule that it is the minimum of; give until too")
    return None


def _checked_seed(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(32)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise UserError(f"seed = {seed!r}: must be a whole number from 0 to 2**64 - 1")
    return seed


def _checked_threads(threads: int | None) -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads is None:
        return available
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise UserError(f"threads = {threads!r}: must be a whole number from 1 to 1024")
    return threads


def _same_results(target: Path, attributes: dict[str, Attribute], design: Design) -> Results:
    """Open finished results of the same run; anything else at the target is refused."""
    try:
        results = open_results(target)
    except ResultsError as error:
        raise ResultsError(
            f"{target}: exists and is no results file; choose another name or remove it first"
        ) from error
    wanted: dict[str, Attribute] = {
        **attributes,
        "requested_replicates": design.replicates,
        "nested": [design.outer, design.inner],
    }
    stored = BEFORE_DESIGNS | results.attributes
    if "until" in stored:  # the file may have ended before the maximum, and says then what it holds
        stored = stored | {"requested_replicates": stored["until_maximum"], "nested": wanted["nested"]}
    different = [key for key in IDENTITY if not _equal(stored.get(key), wanted[key])]
    different += [key for key in UNTIL_IDENTITY if not _equal(stored.get(key), wanted.get(key))]
    if different:
        results.close()
        raise ResultsError(
            f"{target}: holds the results of another run ({different[0]} differs); choose another name or "
            "remove it first"
        )
    if results.status != "complete":
        done, asked = results.replicates, results.requested_replicates
        results.close()
        raise ResultsError(
            f"{target}: holds an interrupted run, {done} of {asked} replicates; resume is not available yet: "
            "summarise it as it is, or choose another name"
        )
    return results


def _equal(stored: object, wanted: object) -> bool:
    if isinstance(wanted, list):
        return stored is not None and list(stored) == wanted  # type: ignore[call-overload]
    return str(stored) == str(wanted)
