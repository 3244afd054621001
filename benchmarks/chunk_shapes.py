"""Which chunks a results file should have: `python -m benchmarks.chunk_shapes`.

Replicates of phase1 are simulated once and repeated to a longer file. For every shape (rows per chunk, and which strata
lie in one chunk) the same counts are written as a file of their own, beside one of the present shape: `CHUNK_ROWS` rows
of one stratum. What files are read for is then timed on both, alternating, and every time is given as a ratio to the
present shape's in the same round. Also: levels of deflate, with and without the byte shuffle (`chunk_filters`).

Files have two variables of phase1, ``victims`` (a number per stratum) and ``reached`` (one per stratum and point), with
their totals, and are read by the same few lines whatever their shape is. Time is processor time of one thread; the
files are in the system's cache, so the disk does not count. The period of the repetition is longer than any chunk:
within a chunk nothing repeats that does not do so in a run.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import h5py
import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

import simcore
from benchmarks.chunk_filters import FilterResult, compare_filters, filter_table
from benchmarks.machine import Machine, describe, machine_line
from benchmarks.simcore_engines import stored_run
from benchmarks.timing import Samples, Spread, alternate
from simcore.cli.terminal import show, talk
from simcore.store import CHUNK_ROWS, Layout
from simcore.store.compression import decode_chunk, encode_chunk

CHUNK_LENGTHS = (512, 1024, 2048, 4096, 8192, 16384, 65536)
SPLITS = ("one stratum", "first axis", "all strata")
VARIABLES = ("victims", "reached")
READ = "reached"
SIMULATED, REPLICATES = 131_072, 524_288
ROUNDS = 5
SEED = 20050101
USES = ("encode", "stratum", "block", "funnel", "everything")
TITLES = {
    "encode": "encode",
    "stratum": "one stratum, all rows",
    "block": f"all strata, {CHUNK_ROWS:,} rows",
    "funnel": "totals, all rows",
    "everything": "all strata, all rows",
}

IntArray = npt.NDArray[np.int32] | npt.NDArray[np.int64]


class ShapeResult(TypedDict):
    """One shape; ``seconds`` and ``ratios`` (to the present shape, in the same round) are spreads by use."""

    rows: int
    split: str
    chunk_bytes: int
    chunks: int
    encoded_bytes: int
    metadata_bytes: int
    reader_bytes: int
    block_bytes: int
    seconds: dict[str, dict[str, float]]
    ratios: dict[str, dict[str, float]]


class ChunkReport(TypedDict):
    """Everything that the JSON file holds."""

    machine: Machine
    scenario: str
    replicates: int
    simulated: int
    rounds: int
    present: str
    shapes: list[ShapeResult]
    filters: list[FilterResult]


@dataclass(frozen=True)
class Counts:
    """Counts of one variable: ``values`` [*strata, rows, *trailing]."""

    name: str
    strata: tuple[int, ...]
    values: IntArray

    @property
    def trailing(self) -> tuple[int, ...]:
        """Sizes of the trailing dimensions."""
        return self.values.shape[len(self.strata) + 1 :]

    @property
    def rows(self) -> int:
        """Replicates that were simulated."""
        return self.values.shape[len(self.strata)]


@dataclass(frozen=True)
class Shape:
    """Rows per chunk, and one of `SPLITS`."""

    rows: int
    split: str

    def extents(self, counts: Counts) -> tuple[int, ...]:
        """Return how many labels of each stratum axis lie in one chunk."""
        if self.split == "all strata":
            return counts.strata
        return tuple(
            size if place == 0 and self.split == "first axis" else 1 for place, size in enumerate(counts.strata)
        )

    def chunk(self, counts: Counts) -> tuple[int, ...]:
        """Return the shape of a chunk of a variable."""
        return (self.rows, *self.extents(counts), *counts.trailing)

    def corners(self, counts: Counts) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Yield where the chunks of the same rows begin along the stratum axes, and what they cover of them."""
        extents = self.extents(counts)
        for place in np.ndindex(*(size // extent for size, extent in zip(counts.strata, extents, strict=True))):
            start = tuple(index * extent for index, extent in zip(place, extents, strict=True))
            yield start, tuple(slice(index, index + extent) for index, extent in zip(start, extents, strict=True))

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.split}"


PRESENT = Shape(CHUNK_ROWS, "one stratum")


# The counts and their files -------------------------------------------------------------------------------------------


def simulate(folder: Path, rows: int, seed: int) -> tuple[list[Counts], Layout, npt.NDArray[np.float64]]:
    """Run phase1 and return counts and totals of `VARIABLES`, the layout, and the parameters of two chunks' rows."""
    model = simcore.compile_model(simcore.load_scenario("phase1"))
    found: list[Counts] = []
    with stored_run(model, rows, seed, folder / "simulated.h5") as results:
        layout = results.layout
        for name in VARIABLES:
            variable = layout.variable(name)
            strata = layout.sizes(variable.strata)
            values = np.empty((*strata, rows, *layout.sizes(variable.trailing)), dtype=variable.dtype)
            for where, piece in results.iter_blocks(name, by=variable.strata):
                values[(*(slice(None) for _ in strata), where)] = np.moveaxis(piece, 0, len(strata))
            found.append(Counts(name, strata, values))
            found.append(Counts(f"totals/{name}", (), results.read(name)))
        theta = results.theta(rows=slice(0, 2 * CHUNK_ROWS)).to_numpy()
    (folder / "simulated.h5").unlink()
    return found, layout, theta


def _encoded(shape: Shape, counts: Sequence[Counts]) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    """Make the chunks of all simulated rows: dataset, offset, bytes; block by block, as a run does."""
    for first in range(0, counts[0].rows, shape.rows):
        for each in counts:
            for start, covered in shape.corners(each):
                part = np.moveaxis(each.values[(*covered, slice(first, first + shape.rows))], len(start), 0)
                offset = (first, *start, *(0 for _ in each.trailing))
                yield each.name, offset, encode_chunk(np.ascontiguousarray(part))


class CountFile:
    """Counts in a file whose chunks have one shape; the simulated rows are repeated up to ``replicates``."""

    def __init__(self, path: Path, shape: Shape, counts: Sequence[Counts], replicates: int) -> None:
        self.path, self.shape, self.replicates = path, shape, replicates
        self.encoded_bytes = self.chunks = 0
        self._counts = {each.name: each for each in counts}
        period = counts[0].rows
        encoded = list(_encoded(shape, counts))
        with h5py.File(path, "w", libver=("v108", "v108")) as file:
            for each in counts:
                cells = (*each.strata, *each.trailing)
                file.create_dataset(
                    each.name, shape=(replicates, *cells), maxshape=(None, *cells), chunks=shape.chunk(each),
                    dtype=each.values.dtype, shuffle=True, compression="gzip", compression_opts=1,
                )  # fmt: skip
            for turn in range(0, replicates, period):
                for name, (first, *rest), data in encoded:
                    file[name].id.write_direct_chunk((turn + first, *rest), data)
                    self.encoded_bytes += len(data)
                    self.chunks += 1
        self.metadata_bytes = path.stat().st_size - self.encoded_bytes

    def uses(self) -> dict[str, Callable[[], object]]:
        """Return what the file is made and read for."""
        middle = self.replicates // 2
        return {
            "encode": lambda: sum(len(data) for _, _, data in _encoded(self.shape, list(self._counts.values()))),
            "stratum": self.read_stratum,
            "block": lambda: self.read_rows(READ, middle, middle + CHUNK_ROWS),
            "funnel": lambda: [self.scan(f"totals/{name}") for name in VARIABLES],
            "everything": lambda: self.scan(READ),
        }

    def read_stratum(self) -> IntArray:
        """Return the stratum in the middle of `READ` over all rows, [rows, *trailing]."""
        counts = self._counts[READ]
        extents = self.shape.extents(counts)
        stratum = tuple(size // 2 for size in counts.strata)
        start = tuple(index - index % extent for index, extent in zip(stratum, extents, strict=True))
        inside = tuple(index - begin for index, begin in zip(stratum, start, strict=True))
        values = np.empty((self.replicates, *counts.trailing), dtype=counts.values.dtype)
        with h5py.File(self.path) as file:
            dataset = file[READ]
            for first in range(0, self.replicates, self.shape.rows):
                part: Any = self._chunk(dataset, counts, first, start)
                values[first : first + self.shape.rows] = part[(slice(None), *inside)]
        return values

    def read_rows(self, name: str, start: int, stop: int) -> IntArray:
        """Return all strata of a dataset in some rows, [stop - start, *strata, *trailing]."""
        with h5py.File(self.path) as file:
            return self._rows(file[name], self._counts[name], start, stop)

    def scan(self, name: str) -> int:
        """Read all strata over all rows, one piece after the other and keeping none; return the rows read."""
        step = max(self.shape.rows, CHUNK_ROWS)
        with h5py.File(self.path) as file:
            return sum(
                len(self._rows(file[name], self._counts[name], first, first + step))
                for first in range(0, self.replicates, step)
            )

    def _rows(self, dataset: Any, counts: Counts, start: int, stop: int) -> IntArray:
        values = np.empty((stop - start, *counts.strata, *counts.trailing), dtype=counts.values.dtype)
        for chunk in range(start - start % self.shape.rows, stop, self.shape.rows):
            first, end = max(start, chunk), min(stop, chunk + self.shape.rows)
            for corner, covered in self.shape.corners(counts):
                part = self._chunk(dataset, counts, chunk, corner)
                values[(slice(first - start, end - start), *covered)] = part[first - chunk : end - chunk]
        return values

    def _chunk(self, dataset: Any, counts: Counts, first: int, start: tuple[int, ...]) -> npt.NDArray[Any]:
        _, encoded = dataset.id.read_direct_chunk((first, *start, *(0 for _ in counts.trailing)))
        chunk = self.shape.chunk(counts)
        return decode_chunk(encoded, counts.values.dtype, math.prod(chunk)).reshape(chunk)

    def reader_bytes(self) -> int:
        """Return the memory that reading a stratum takes at its peak, beside the answer [bytes]."""
        tracemalloc.start()
        try:
            answer = self.read_stratum().nbytes
            return tracemalloc.get_traced_memory()[1] - answer
        finally:
            tracemalloc.stop()


# Measuring ------------------------------------------------------------------------------------------------------------


def compare_shape(
    shape: Shape, present: CountFile, counts: Sequence[Counts], layout: Layout, rounds: int
) -> ShapeResult:
    """Write a file of some shape and time it against the present one, alternating; the file is removed."""
    path = present.path.with_name("other.h5")
    try:
        other = CountFile(path, shape, counts, present.replicates)
        pairs = {use: (call, other.uses()[use]) for use, call in present.uses().items()}
        calls = {f"{use} {which}": call for use, pair in pairs.items() for which, call in enumerate(pair)}
        alternate(calls, {name: Samples(0, 0, 0) for name in calls}, 1)  # warms caches
        samples = {name: Samples(0, 0, 0) for name in calls}
        alternate(calls, samples, rounds)
        seconds = {use: tuple(samples[f"{use} {which}"].processor_seconds for which in range(2)) for use in USES}
        (read,) = [each for each in counts if each.name == READ]
        return {
            "rows": shape.rows,
            "split": shape.split,
            "chunk_bytes": math.prod(shape.chunk(read)) * read.values.itemsize,
            "chunks": other.chunks,
            "encoded_bytes": other.encoded_bytes,
            "metadata_bytes": other.metadata_bytes,
            "reader_bytes": other.reader_bytes(),
            "block_bytes": layout.block_bytes(shape.rows),
            "seconds": {use: asdict(Spread.of(taken[1])) for use, taken in seconds.items()},
            "ratios": {
                use: asdict(Spread.of([new / old for old, new in zip(*taken, strict=True)]))
                for use, taken in seconds.items()
            },
        }
    finally:
        path.unlink(missing_ok=True)


def measure(
    folder: Path,
    *,
    simulated: int = SIMULATED,
    replicates: int = REPLICATES,
    lengths: Sequence[int] = CHUNK_LENGTHS,
    rounds: int = ROUNDS,
    seed: int = SEED,
    report: Callable[[str], None] = lambda _: None,
) -> ChunkReport:
    """Measure all shapes and filters.

    A shape that equals the present one is measured like the others: its ratios show what is noise.

    Parameters
    ----------
    folder : Path
        For temporary files; two files of ``replicates`` rows are there at a time.
    simulated : int
        Replicates to simulate: a multiple of every chunk's rows, and more than one chunk.
    replicates : int
        Rows of the files, a multiple of ``simulated``.
    lengths : sequence of int
        Rows per chunk to try.
    rounds : int
        Timed calls of everything; one more comes before and is not counted.
    seed : int
    report : callable
        Told what is being done.
    """
    if replicates % simulated or any(simulated % rows for rows in (*lengths, 2 * CHUNK_ROWS)):
        raise ValueError(f"{replicates} rows, {simulated} simulated and chunks of {lengths} rows do not divide evenly")
    if CHUNK_ROWS not in lengths:
        raise ValueError(f"chunks of {CHUNK_ROWS} rows, the present ones, must be among {lengths}")
    shapes: list[ShapeResult] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="chunk-shapes-") as place:
        report(f"simulating {simulated} replicates")
        counts, layout, theta = simulate(Path(place), simulated, seed)
        present = CountFile(Path(place) / "present.h5", PRESENT, counts, replicates)
        for split in SPLITS:
            for rows in lengths:
                report(f"{rows} rows, {split}")
                shapes.append(compare_shape(Shape(rows, split), present, counts, layout, rounds))
    report("filters")
    pieces = [
        np.ascontiguousarray(each.values[(*stratum, slice(first, first + CHUNK_ROWS))])
        for each in counts
        for stratum in np.ndindex(*each.strata)
        for first in (0, CHUNK_ROWS)
    ]
    columns = [
        np.ascontiguousarray(theta[first : first + CHUNK_ROWS, column])
        for column in range(theta.shape[1])
        for first in (0, CHUNK_ROWS)
    ]
    return {
        "machine": describe(),
        "scenario": "phase1",
        "replicates": replicates,
        "simulated": simulated,
        "rounds": rounds,
        "present": str(PRESENT),
        "shapes": shapes,
        "filters": compare_filters("counts", pieces, rounds) + compare_filters("parameters", columns, rounds),
    }


# Showing --------------------------------------------------------------------------------------------------------------


def _ratio(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['low']:.2f}-{spread['high']:.2f})"


def tables(report: ChunkReport) -> Iterator[Table]:
    """Make the tables of a report: per split, then the filters."""
    (base,) = [each for each in report["shapes"] if (each["rows"], each["split"]) == (PRESENT.rows, PRESENT.split)]
    for split in SPLITS:
        table = Table(box=box.MARKDOWN, title=f"{split} per chunk; times over those of {report['present']}")
        columns = ("rows", "chunk, KiB", "chunks", "bytes", "index, KiB")
        for heading in (*columns, *TITLES.values(), "reader, KiB", "block, MB"):
            table.add_column(heading, justify="right")
        for each in report["shapes"]:
            if each["split"] == split:
                table.add_row(
                    f"{each['rows']}",
                    f"{each['chunk_bytes'] / 1024:.0f}",
                    f"{each['chunks']}",
                    f"{each['encoded_bytes'] / base['encoded_bytes']:.3f}",
                    f"{each['metadata_bytes'] / 1024:.0f}",
                    *(_ratio(each["ratios"][use]) for use in USES),
                    f"{each['reader_bytes'] / 1024:.0f}",
                    f"{each['block_bytes'] / 1e6:.0f}",
                )
        yield table
    yield filter_table(report["filters"])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and store as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chunk_shapes", description=__doc__.splitlines()[0])
    parser.add_argument("--simulated", type=int, default=SIMULATED)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="for temporary files")
    parser.add_argument("--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    talk(machine_line(describe()))
    try:
        report = measure(
            chosen.folder, simulated=chosen.simulated, replicates=chosen.replicates, rounds=chosen.rounds, report=talk
        )
    except ValueError as wrong:
        parser.error(str(wrong))
    for table in tables(report):
        show(table)
    if chosen.output is not None:
        chosen.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
