"""`rerun`: make a results file again from what is inside it, and say whether the numbers are the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import ResultsError, command
from simcore.runner.cluster import chosen_workers
from simcore.runner.embedding import scenario_of_documents
from simcore.runner.identity import BEFORE_DESIGNS, IDENTITY
from simcore.runner.progress import Progress
from simcore.runner.request import SETTINGS, design_of, going_on, prepare, request_of
from simcore.runner.run import run_prepared
from simcore.runner.stopping import StoppingRule
from simcore.runner.unfinished import head_of
from simcore.store import Results, open_results
from simcore.store.comparing import Difference, compare_results, environment_differences

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Rerun:
    """A file made again, beside the one that it was made from.

    Attributes
    ----------
    results : Results
        The new file, open.
    differences : list of Difference
        In what the two differ; none if every number, label and document is the same. What comes first is of the old
        file. Times, versions and the command line are not compared.
    environment : dict of str to (str, str)
        Versions, processor and source revision that differ: (of the old file, of the new one).
    computed : bool
        Whether the new one was computed now; false if it was there already.
    """

    results: Results
    differences: list[Difference]
    environment: dict[str, tuple[str, str]]
    computed: bool = True

    @property
    def identical(self) -> bool:
        """Whether the two hold the same result."""
        return not self.differences


def rerun(
    source: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    dask: str | Client | None = None,
    until: StoppingRule | None = None,
    progress: Callable[[Progress], None] | None = None,
    command_line: str = "",
) -> Rerun:
    """Run again what a results file says about itself, and compare the two.

    Parameters
    ----------
    source : path
        A finished results file.
    output : path, optional
        Where the new one goes; without it the new results are kept in memory. A file that says it is this very run is
        compared as it is, and `Rerun.computed` is false.
    threads : int, optional
        Worker threads; by default one per available processor.
    dask : str or distributed.Client, optional
        Compute on a cluster instead, as in `run`.
    until : StoppingRule, optional
        The rule of the run, where it is an object of your own whose words cannot be read again.
    progress : callable, optional
        As in `run`.
    command_line : str, optional
        Stored with the new results.

    Returns
    -------
    Rerun

    Raises
    ------
    ResultsError
        If the file cannot be read, was interrupted, or holds a scenario that is not the one it says; if the output
        cannot be written.
    RunInterrupted
        As in `run`.
    """
    place = str(source)
    existed = output is not None and os.path.lexists(output)
    if output is not None and existed and os.path.exists(output) and os.path.samefile(source, output):
        raise ResultsError(f"{output}: is the file that is to be made again; choose another name")
    with open_results(Path(source)) as old, chosen_workers(threads, dask) as workers:
        if old.status != "complete":
            raise ResultsError(
                f"{place}: holds an interrupted run, {old.replicates} of {old.requested_replicates} replicates; finish "
                f"it first: {command('resume', place)}"
            )
        head = head_of(old)
        scenario = scenario_of_documents(head.documents, place)
        if scenario.digest != head.attributes.get("scenario_digest"):
            raise ResultsError(f"{place}: the scenario inside is not the one that it was made with (scenario_digest)")
        design = design_of(head.attributes, head.thetas, head.replicates // head.thetas, place)
        request = request_of(head.attributes, scenario, design, place, until)
        prepared = prepare(replace(request, store_theta=old.stores_theta), command_line=command_line)
        if SETTINGS in head.attributes:  # the scenario inside is what they made of it
            prepared = going_on(prepared, {SETTINGS: head.attributes[SETTINGS]}, "")
        new = run_prepared(prepared, None if output is None else Path(output), workers, progress)
        try:
            found = compare_results(old, new, attributes=IDENTITY, defaults=BEFORE_DESIGNS)
            return Rerun(new, found, environment_differences(old, new), not existed)
        except BaseException:
            new.close()
            raise
