"""`export`: checks what is wanted, chooses the writer, and says what was written."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from analysis.exporting.description import (
    describe,
    describe_parameters,
    describe_small_cells,
    describe_variables,
    to_text,
)
from analysis.exporting.new_files import check_targets, new_files
from analysis.exporting.selection import Selection, check_rows, select
from analysis.exporting.small_cells import HIDING, HIDING_FIGURES, WAYS, SmallCells
from analysis.summaries import LEVELS, summarize
from simcore.errors import ResultsError, UserError, nearest

if TYPE_CHECKING:
    from analysis.exporting.tables import Table
    from simcore.store import Results

Content = Literal["counts", "theta", "summary"]
Format = Literal["parquet", "csv", "arviz"]

CONTENTS: tuple[Content, ...] = ("counts", "theta", "summary")
FORMATS: tuple[Format, ...] = ("parquet", "csv", "arviz")
SUFFIXES: dict[str, Format] = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv", ".nc": "arviz"}


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
        The export first; a CSV file has its description beside it.
    file_format : {"parquet", "csv", "arviz"}
    lines : int
        Lines of the table; of an ArviZ file, counts.
    hidden : int
        Small cells that were hidden.
    left_out : int
        Replicates of an interrupted nested run that an ArviZ file leaves out, because their parameter set is not whole.
    description : dict
        What the file says of itself.
    """

    files: tuple[Path, ...]
    file_format: Format
    lines: int
    hidden: int
    left_out: int
    description: dict[str, Any]


def export(
    results: Results,
    output: str | Path,
    *,
    what: Content = "counts",
    file_format: Format | None = None,
    variables: Sequence[str] | None = None,
    by: Sequence[str] = (),
    rows: slice | None = None,
    levels: Sequence[float] | None = None,
    small_cells: SmallCells = "hide",
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write results as a tidy table (Parquet, CSV) or in the layout of ArviZ (netCDF4), in bounded memory.

    Parameters
    ----------
    results : Results
    output : str or Path
        A new file. ``.parquet``, ``.csv``, ``.csv.gz`` and ``.nc`` say what it will be.
    what : {"counts", "theta", "summary"}
        Counts: one line per replicate, variable and labels. Theta: one line per parameter set, one column per
        parameter. Summary: one line per quantity and statistic, with Monte Carlo standard errors. An ArviZ file
        holds counts and theta.
    file_format : {"parquet", "csv", "arviz"}, optional
        By the name of ``output`` if not given.
    variables : sequence of str, optional
        Variables of the counts; all by default.
    by : sequence of str
        Strata axes that are kept apart.
    rows : slice, optional
        Replicates (of theta: parameter sets), with step 1; all by default.
    levels : sequence of float, optional
        Levels of the intervals of a summary; 50 % and 90 % by default.
    small_cells : {"hide", "show"}
        Counts from 1 to 9: missing and marked, or given.
    progress : callable, optional
        Called with (done, in all) after every piece.

    Returns
    -------
    Export

    Raises
    ------
    UserError
        Arguments that are unknown or do not go together.
    ResultsError
        An unknown variable or axis, an existing target, a missing package, a full disk, or a damaged results file.
    """
    target = Path(output)
    chosen = _check_format(target, file_format, what)
    _check_choice("what", what, CONTENTS)
    _check_choice("small_cells", small_cells, WAYS)
    _check_together(what, variables=variables, by=by, rows=rows, levels=levels)
    _check_packages(chosen)
    sidecar = target.with_name(f"{target.name}.json")
    files = (target, sidecar) if chosen == "csv" else (target,)
    check_targets(files)
    report = progress or (lambda done, total: None)
    if chosen == "arviz":
        return _export_arviz(results, target, select(results, variables, by, rows), small_cells, report)

    from analysis.exporting.table_files import describe_types, write_csv, write_parquet
    from analysis.exporting.tables import describe_columns

    table, description = _make_table(results, what, variables, by, rows, levels, small_cells)
    types = describe_types(table.schema)
    about = describe_columns(table.schema)
    description["columns"] = {name: {"type": types[name], "description": text} for name, text in about.items()}
    description["lines"] = table.lines
    with new_files(*files) as partials:
        if chosen == "parquet":
            write_parquet(partials[0], table, to_text(description), report)
        else:
            write_csv(partials[0], table, report, compress=target.name.lower().endswith(".gz"))
            partials[1].write_text(to_text(description | {"hidden": table.hidden}) + "\n", encoding="utf-8")
    description["hidden"] = table.hidden
    return Export(files, chosen, table.lines, table.hidden, 0, description)


def _make_table(
    results: Results,
    what: Content,
    variables: Sequence[str] | None,
    by: Sequence[str],
    rows: slice | None,
    levels: Sequence[float] | None,
    small_cells: SmallCells,
) -> tuple[Table, dict[str, Any]]:
    from analysis.exporting.tables import count_table, summary_table, theta_table

    if what == "counts":
        selection = select(results, variables, by, rows)
        description = describe(results, what, (selection.first, selection.end))
        description |= describe_small_cells(small_cells, HIDING) | describe_variables(results, selection)
        return count_table(results, selection, small_cells), description
    if what == "theta":
        sets = len(results.theta([]))  # refuses where they were not stored
        first, end = check_rows(rows, sets, "parameter sets")
        description = describe(results, what, (first, end))
        return theta_table(results, first, end), description | {"parameters": describe_parameters(results)}
    summary = summarize(results, by=by, levels=levels or LEVELS)
    description = describe(results, what, (0, results.replicates)) | describe_small_cells(small_cells, HIDING_FIGURES)
    return summary_table(summary, small_cells), description | {"by": list(summary.by), "levels": list(summary.levels)}


def _export_arviz(
    results: Results,
    target: Path,
    selection: Selection,
    small_cells: SmallCells,
    progress: Callable[[int, int], None],
) -> Export:
    from analysis.exporting.arviz import Draws, write_arviz

    draws = Draws(results, selection)
    end = (draws.first + draws.count) * draws.inner
    description = describe(results, "counts and theta", (selection.first, end))
    description |= describe_small_cells(small_cells, HIDING) | {"left_out": draws.left_out}

    def final(hidden: int) -> dict[str, Any]:
        description["hidden"] = hidden
        return description

    with new_files(target) as (partial,):
        hidden = write_arviz(partial, results, selection, draws, small_cells, final, progress)
    counts = (end - selection.first) * sum(selection.cells(results, variable) for variable in selection.variables)
    return Export((target,), "arviz", counts, hidden, draws.left_out, description)


def _check_format(target: Path, file_format: str | None, what: str) -> Format:
    """Return the format that is meant, by its name or that of the file."""
    name = target.name.lower()
    by_name = next((SUFFIXES[suffix] for suffix in SUFFIXES if name.endswith(suffix)), None)
    if file_format is None:
        if by_name is None:
            raise UserError(f"output = '{target}': must end in one of {', '.join(SUFFIXES)}, or be given a format")
        found = by_name
    else:
        _check_choice("file_format", file_format, FORMATS)
        if by_name is not None and by_name != file_format:
            raise UserError(f"file_format = '{file_format}': does not go with a file named '{target.name}'")
        found = next(known for known in FORMATS if known == file_format)
    if found == "arviz" and what != "counts":
        raise UserError(f"what = '{what}': an ArviZ file holds counts and parameters; write this as .parquet or .csv")
    return found


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"{name} = '{value}': unknown{nearest(str(value), known)} (known: {', '.join(known)})")


def _check_together(what: str, **given: Any) -> None:
    """Refuse what says nothing about the content that is asked for."""
    without = {"counts": ("levels",), "theta": ("variables", "by", "levels"), "summary": ("variables", "rows")}[what]
    for name in without:
        value = given[name]
        if value is not None and value != ():
            typed = f"{value.start}:{value.stop}" if isinstance(value, slice) else ",".join(str(each) for each in value)
            raise UserError(f"{name} = '{typed}': does not go with '{what}'; leave it out")


def _check_packages(file_format: Format) -> None:
    package, extra = ("h5netcdf", "xarray") if file_format == "arviz" else ("pyarrow", "parquet")
    try:
        importlib.import_module(package)
    except ImportError as problem:
        missing = problem.name or package
        raise ResultsError(f"export needs the package '{missing}': pip install 'simcore[{extra}]'") from None
