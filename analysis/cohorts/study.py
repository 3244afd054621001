"""The folder of a study: an index of what, when and with which random numbers, and one results file per member.

All members run with one seed, so parameters and persons that they have in common get the same random numbers. The
index (``study.json``) is written anew, whole, whenever a member is finished. Finished members are not run again, and
one that was interrupted or killed is gone on with: the runner itself compares scenario, seed and options with those in
the file, or in the folder of the unfinished run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.cohorts.members import Member
from simcore.errors import ResultsError, UnfinishedError, UserError
from simcore.store.provenance import utc_now

if TYPE_CHECKING:
    from simcore.runner import Progress
    from simcore.store import Results

INDEX = "study.json"
FILETYPE = "simcore-cohorts"
VERSION = 1
COMPLETE, WAITING = "complete", "waiting"


@dataclass
class Entry:
    """What the index knows of a member."""

    name: str
    scenario: str
    title: str
    cohort_year: int
    scenario_digest: str
    file: str
    status: str = WAITING
    finished_utc: str = ""
    replicates: int = 0

    @property
    def is_by_year(self) -> bool:
        """Whether it is a scenario at another cohort year, which its name then ends with."""
        return self.name == f"{self.scenario}-{self.cohort_year}"

    @classmethod
    def of(cls, member: Member) -> Entry:
        """Return the entry of a member that was not run yet."""
        document = member.scenario.document
        return cls(
            member.name, member.scenario.name, document.title, member.cohort_year, member.scenario.digest, member.file
        )


@dataclass
class Study:
    """A study folder.

    Attributes
    ----------
    folder : Path
    seed : int
    options : dict
        What all members are run with beside the seed: arguments of `simcore.run` that change results.
    entries : list of Entry
        By cohort year.
    begun_utc : str
    """

    folder: Path
    seed: int
    options: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    begun_utc: str = ""

    @property
    def finished(self) -> list[Entry]:
        """Members whose results are complete."""
        return [entry for entry in self.entries if entry.status == COMPLETE]

    def path(self, entry: Entry) -> Path:
        """Return the results file of a member."""
        return self.folder / entry.file

    def write(self) -> None:
        """Write the index, whole or not at all.

        Raises
        ------
        ResultsError
            If it cannot be written.
        """
        content = {
            "filetype": FILETYPE,
            "version": VERSION,
            "begun_utc": self.begun_utc,
            "written_utc": utc_now(),
            "seed": str(self.seed),  # JSON readers elsewhere hold whole numbers as doubles
            "options": self.options,
            "members": [vars(entry) for entry in self.entries],
        }
        target = self.folder / INDEX
        partial = self.folder / f"{INDEX}.partial-{os.getpid()}"
        try:
            partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(partial, target)
        except OSError as problem:
            raise ResultsError(f"{target}: cannot be written: {os.strerror(problem.errno or 0)}") from problem


class StudyInterrupted(Exception):
    """The study was interrupted; what is finished is kept. ``study`` is as it stands, ``member`` was at work."""

    def __init__(self, study: Study, member: str) -> None:
        super().__init__("interrupted")
        self.study = study
        self.member = member


def read_study(folder: Path) -> Study:
    """Read the index of a study.

    Raises
    ------
    ResultsError
        If there is none, or it cannot be understood.
    """
    path = folder / INDEX
    if not folder.is_dir():
        raise ResultsError(f"{folder}: there is no such folder")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(f"{folder}: holds no study ('{INDEX}' is missing)") from None
    except OSError as problem:
        raise ResultsError(f"{path}: cannot be read: {os.strerror(problem.errno or 0)}") from problem
    except ValueError as problem:
        raise ResultsError(f"{path}: is damaged: {' '.join(str(problem).split())}") from problem
    try:
        if content["filetype"] != FILETYPE:
            raise ResultsError(f"{path}: is the index of something else (filetype '{content['filetype']}')")
        if content["version"] > VERSION:
            raise ResultsError(
                f"{path}: written by a newer simcore: version {content['version']}, known up to {VERSION}"
            )
        entries = [Entry(**entry) for entry in content["members"]]
        _check_entries(entries)
        if not 0 <= int(content["seed"]) < 2**64:
            raise ValueError(f"seed {content['seed']}")
        for entry in entries:
            if Path(entry.file).name != entry.file:
                raise ResultsError(f"{path}: the file of '{entry.name}' leads out of the folder: '{entry.file}'")
        return Study(folder, int(content["seed"]), dict(content["options"]), entries, content["begun_utc"])
    except (KeyError, TypeError, ValueError) as problem:
        raise ResultsError(f"{path}: is damaged: {type(problem).__name__} {problem}") from problem


def _check_entries(entries: Sequence[Entry]) -> None:
    """Raise TypeError or ValueError unless every field has its type and every name stands once."""
    for number, entry in enumerate(entries):
        for name, value in vars(entry).items():
            wanted = int if name in ("cohort_year", "replicates") else str
            if type(value) is not wanted:
                raise TypeError(f"members[{number}].{name} is {value!r}")
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"two members have one name ({', '.join(names)})")


def open_study(
    folder: Path, members: Sequence[Member], seed: int | None, options: Mapping[str, Any], new_seed: int
) -> Study:
    """Return the study of a folder with these members: a new one, or the one that is there, which must fit.

    Parameters
    ----------
    folder : Path
        Made if it is not there; else it must be empty or hold a study.
    members : sequence of Member
        Members that the study has already must be the same scenarios; others are added.
    seed : int or None
        None takes that of the study, or ``new_seed``.
    options : dict
        Arguments of `simcore.run` that all members share.
    new_seed : int

    Raises
    ------
    UserError
        If the folder cannot be used, or holds a study of another seed, of other options or of other scenarios.
    """
    if not folder.exists():
        if not folder.absolute().parent.is_dir():
            raise UserError(f"--output {folder}: there is no folder '{folder.absolute().parent}'")
        try:
            folder.mkdir()
        except OSError as problem:
            raise UserError(f"--output {folder}: cannot be made: {os.strerror(problem.errno or 0)}") from problem
    if not folder.is_dir():
        raise UserError(f"--output {folder}: is not a folder")
    if (folder / INDEX).exists():
        study = read_study(folder)
        if study.finished:
            _check_fits(study, seed, options)
        else:  # another wish changes nothing here; blocks of an unfinished member are the runner's to defend
            study.seed = study.seed if seed is None else seed
            study.options, study.entries = dict(options), []
    elif any(folder.iterdir()):
        raise UserError(f"--output {folder}: is not empty and holds no study; choose another folder")
    else:
        study = Study(folder, new_seed if seed is None else seed, dict(options), begun_utc=utc_now())
    known = {entry.name: entry for entry in study.entries}
    files = {entry.file: entry.name for entry in study.entries}
    for member in members:
        entry = Entry.of(member)
        there = known.get(member.name)
        if there is None:
            if files.setdefault(entry.file, entry.name) != entry.name:
                raise UserError(f"{member.name}: has the same file name as {files[entry.file]}; rename the scenario")
            study.entries.append(entry)
        elif there.scenario_digest != entry.scenario_digest:
            raise UserError(
                f"{folder / INDEX}: '{member.name}' is another scenario there (digest {there.scenario_digest[:12]}, "
                f"now {entry.scenario_digest[:12]}); choose another folder, or give the scenario another name"
            )
    study.entries.sort(key=lambda entry: entry.cohort_year)
    study.write()
    return study


def _check_fits(study: Study, seed: int | None, options: Mapping[str, Any]) -> None:
    wanted = {**options, **({} if seed is None else {"seed": seed})}
    stored = {**study.options, "seed": study.seed}
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise UserError(
                f"{study.folder / INDEX}: holds a study with {name} = {_shown(stored.get(name))}, asked for was "
                f"{_shown(value)}; choose another folder"
            )


def _shown(value: Any) -> str:
    return "x".join(str(part) for part in value) if isinstance(value, list) else str(value)


def run_members(
    study: Study,
    members: Sequence[Member],
    *,
    threads: int | None = None,
    begin: Callable[[int, Entry, bool], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    command_line: str = "",
) -> None:
    """Run the members that are not finished, or go on with them, in order, and write the index after each.

    Parameters
    ----------
    study : Study
        From `open_study`, with these members.
    members : sequence of Member
    threads : int, optional
        As in `simcore.run`.
    begin : callable, optional
        Called before each member with its number from 1, its entry, and whether its results are there already, whole.
    progress : callable, optional
        As in `simcore.run`; it may raise KeyboardInterrupt.
    command_line : str, optional
        Stored with the results.

    Raises
    ------
    StudyInterrupted
        On KeyboardInterrupt. Finished members are kept, and finished blocks of the one at work, which is gone on with
        the next time.
    ResultsError
        If a results file, or the folder of an unfinished run, is not that of the member, or cannot be written or gone
        on with.
    """
    from simcore.runner import RunInterrupted

    entries = {entry.name: entry for entry in study.entries}
    for number, member in enumerate(members, start=1):
        entry = entries[member.name]
        target = study.path(entry)
        if begin is not None:
            begin(number, entry, _is_whole(target))
        try:
            results = _run_or_go_on(study, member, target, threads, progress, command_line)
        except RunInterrupted as stop:
            if stop.results is not None:
                stop.results.close()
            raise StudyInterrupted(study, entry.name) from None
        except KeyboardInterrupt:
            raise StudyInterrupted(study, entry.name) from None
        with results:
            entry.status, entry.replicates = COMPLETE, results.replicates
            entry.finished_utc = str(results.attributes["finished_utc"])
        study.write()


def run_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a study as arguments of `simcore.run` (JSON has lists where it wants tuples)."""
    return {name: tuple(value) if name == "nested" else value for name, value in options.items() if value is not None}


def _run_or_go_on(
    study: Study,
    member: Member,
    target: Path,
    threads: int | None,
    progress: Callable[[Progress], None] | None,
    command_line: str,
) -> Results:
    """Run a member, or go on with this very run where it did not end; a run of anything else there is refused."""
    import simcore

    how: dict[str, Any] = {"threads": threads, "progress": progress, "command_line": command_line}
    try:
        options = run_arguments(study.options)
        return simcore.run(member.scenario, **options, seed=study.seed, output=target, **how)
    except UnfinishedError:
        return simcore.resume(target, **how)


def _is_whole(target: Path) -> bool:
    """Whether the results of a member are there, finished."""
    from simcore.store import open_results

    if not target.exists():
        return False
    with open_results(target) as results:
        return results.status == COMPLETE
