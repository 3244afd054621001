"""Writes a results file block by block, in bounded memory, to the disk or to memory.

The two back ends differ in nothing but the place: a file beside its target that is renamed when it is finished, or an
HDF5 image in memory. Blocks are made by `encode_block` in any thread and committed in order of replicates by one.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from simcore.errors import ResultsError
from simcore.store.blocks import Chunk, EncodedBlock, encode_theta
from simcore.store.checksums import theta_checksum
from simcore.store.description import (
    DESCRIPTION_CHECKSUM,
    Attribute,
    create_structure,
    description_checksum,
    write_attributes,
    write_format,
)
from simcore.store.examination import check_layout
from simcore.store.layout import (
    CHUNK_ROWS,
    IDENTIFIERS,
    LEDGER,
    PARAMETERS,
    REPLICATE,
    THETA,
    THETA_BLOCK,
    THETA_CHECKSUM,
    TOTALS,
    Layout,
)
from simcore.store.partial_file import PartialFile
from simcore.store.reader import Results, open_results
from simcore.store.signals import undisturbed
from simcore.store.target import check_target, partial_path, publish

# The objects of HDF5 1.8 (2008): object headers carry checksums and attributes may pass 64 KiB (a scale lists all its
# parameters in one), and every reader knows them. The chunk index of 1.10 gains nothing that can be measured here and
# locks out readers that are not built on the HDF5 library itself.
LIBRARY_VERSIONS: Final = ("v108", "v108")
_METADATA_CACHE: Final = 2**20  # bytes; by default HDF5 keeps ever more of its index of chunks, and gains nothing by it
_MEMORY_STEP: Final = 16 * 2**20  # bytes by which the in-memory image grows
_FLUSHED_AFTER: Final = 64 * 2**20  # bytes; else a large run ends with waiting for all that the disk has not yet
_IMAGES: Final = itertools.count()  # numbers that tell the images of this process apart

FinalStatus = Literal["complete", "interrupted"]


class Writer:
    """One results file in the making.

    Parameters
    ----------
    target : Path or None
        The file to be; None keeps everything in memory.
    layout : Layout
    replicates : int
        Replicates asked for, at least 1.
    thetas : int
        Parameter sets asked for; ``replicates`` must be a multiple of it.
    attributes : mapping
        Root attributes (text, numbers, sequences of these). ``filetype``, ``format_version``, ``status``,
        ``requested_replicates``, ``nested`` and ``description_checksum`` are the store's own.
    documents : mapping of name to text
        What the file needs to reproduce itself.
    store_theta : bool
        False leaves the values of the parameters out.
    partial : Path, optional
        Where the unfinished file lies, in a folder of the same file system; beside the target by default.
    replace : bool
        Whether the target may exist; it is then replaced, in one step, when the new file is finished.

    Raises
    ------
    ResultsError
        The target exists or cannot be written.
    ValueError
        Numbers that do not fit together.
    """

    def __init__(
        self,
        target: Path | None,
        layout: Layout,
        *,
        replicates: int,
        thetas: int,
        attributes: Mapping[str, Attribute],
        documents: Mapping[str, str],
        store_theta: bool = True,
        partial: Path | None = None,
        replace: bool = False,
    ) -> None:
        if replicates < 1 or thetas < 1 or replicates % thetas:
            raise ValueError(f"{replicates} replicates cannot be shared evenly by {thetas} parameter sets")
        check_layout(layout)
        self.target = target
        self.layout = layout
        self.replicates = replicates
        self.thetas = thetas
        self.store_theta = store_theta
        self.rows = 0
        """Replicates committed so far, from the first one without a gap."""
        self._blocks: list[int] = []  # end row of every block; a few bytes per thousands of replicates
        self._replace = replace
        self._theta_rows = 0
        self._theta_checksums: list[str] = []
        self._theta_buffered = 0  # of these, at the end, not written yet
        self._theta_buffer = np.zeros((CHUNK_ROWS, len(layout.parameters)), dtype="<f8")
        self._datasets: dict[str, Any] = {}
        self._partial: Path | None = None
        self._disk: PartialFile | None = None
        if target is not None:
            check_target(target, replace=replace)
            self._partial = partial_path(target) if partial is None else partial
        self._file = self._create()
        self._bound_metadata_cache()
        self._open = True
        try:
            with self._writing("the head of the file"):
                write_format(self._file)
                write_attributes(self._file, attributes)
                own: dict[str, Attribute] = {
                    "status": "writing",
                    "requested_replicates": replicates,
                    "nested": [thetas, replicates // thetas],
                }
                write_attributes(self._file, own)
                create_structure(
                    self._file,
                    layout,
                    replicates=replicates,
                    thetas=thetas,
                    documents=documents,
                    store_theta=store_theta,
                )
        except BaseException:
            self.abort()
            raise

    def _create(self) -> h5py.File:
        options: dict[str, Any] = {"libver": LIBRARY_VERSIONS, "track_order": True}
        if self._partial is None:
            options |= {"driver": "core", "backing_store": False, "block_size": _MEMORY_STEP}
            return h5py.File(f"in memory {next(_IMAGES)}", "w", **options)  # an id() would come back while still open
        try:
            self._disk = PartialFile(self._partial)
        except OSError as problem:
            raise self._refusal("a file in its folder", problem) from problem
        return h5py.File(self._disk, "w", **options)

    def _bound_metadata_cache(self) -> None:
        config = self._file.id.get_mdc_config()
        config.set_initial_size = True
        config.initial_size = config.min_size = config.max_size = _METADATA_CACHE
        self._file.id.set_mdc_config(config)

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Report what the disk refused while the body wrote ``what``."""
        with undisturbed():
            try:
                yield
            except (OSError, RuntimeError):
                if self._disk is None or self._disk.failure is None:
                    raise
                # HDF5 stumbled over what was never written.
                raise self._refusal(what, self._disk.failure) from self._disk.failure
        if self._disk is not None and self._disk.failure is not None:
            raise self._refusal(what, self._disk.failure) from self._disk.failure

    def _refusal(self, what: str, problem: OSError) -> ResultsError:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        return ResultsError(f"{self.target}: could not write {what}: {reason}")

    def commit(self, block: EncodedBlock) -> None:
        """Write the next block of replicates, then its row of the ledger.

        Parameters
        ----------
        block : EncodedBlock
            Must start where the last one ended; only the last block of a run may be no multiple of ``CHUNK_ROWS``.

        Raises
        ------
        ResultsError
            The disk is full or failed; nothing of a finished file is touched, `abort` removes the unfinished one.
        ValueError
            A block out of order or beyond the end.
        """
        end = block.first_row + block.rows
        if block.first_row != self.rows:
            raise ValueError(f"block starts at replicate {block.first_row}, the next one is {self.rows}")
        if end > self.replicates or (block.rows % CHUNK_ROWS and end != self.replicates):
            raise ValueError(f"block of {block.rows} replicates at {block.first_row} does not fit {self.replicates}")
        if block.theta_rows:
            self._check_theta_of(block)
        with self._writing(f"replicates {block.first_row} to {end - 1}"):
            self._write_chunks(block.chunks)
            self._append_to_ledger(block)
            self._blocks.append(end)
            self._append_theta_checksums(block.theta_checksums)
            self._theta_rows += block.theta_rows
            self.rows = end
            if self._disk is not None and self._disk.unflushed >= _FLUSHED_AFTER:
                self._disk.flush_to_disk()

    def _check_theta_of(self, block: EncodedBlock) -> None:
        if not self.store_theta or self.thetas != self.replicates:
            raise ValueError(f"block at {block.first_row} brings parameter sets of its own, the file expects none")
        if self._theta_rows != block.first_row or self._theta_buffered:
            raise ValueError(f"parameter sets from {block.first_row} on given, next is {self._theta_rows}")

    def write_theta(self, first: int, values: NDArray[np.float64]) -> None:
        """Write parameter sets ``first``, ``first + 1``, ...; sets that were written before are passed over.

        Parameters
        ----------
        first : int
            Row of the first set; at most the number of sets written so far (no gaps).
        values : float64 array [sets, parameters]
            In the order of the layout's parameters. Ignored if theta is not stored.
        """
        if not self.store_theta:
            return
        if values.ndim != 2 or values.shape[1] != len(self.layout.parameters):
            raise ValueError(f"theta has shape {values.shape}, expected [sets, {len(self.layout.parameters)}]")
        if first < 0 or first > self._theta_rows or first + len(values) > self.thetas:
            raise ValueError(f"parameter sets {first}..{first + len(values) - 1} given, next is {self._theta_rows}")
        rest = values[self._theta_rows - first :]
        with undisturbed():
            while len(rest):
                filled = self._theta_buffered
                taken = min(len(rest), CHUNK_ROWS - filled)
                self._theta_buffer[filled : filled + taken] = rest[:taken]
                self._theta_buffered += taken
                self._theta_rows += taken
                rest = rest[taken:]
                if self._theta_buffered == CHUNK_ROWS:
                    self._flush_theta()

    def _flush_theta(self) -> None:
        first = self._theta_rows - self._theta_buffered
        with self._writing(f"parameter sets {first} to {self._theta_rows - 1}"):
            values = self._theta_buffer[: self._theta_buffered]
            chunks, checksums = encode_theta(self.layout, first, values)
            self._write_chunks(chunks)
            self._append_theta_checksums(checksums)
            self._theta_buffered = 0

    def _write_chunks(self, chunks: tuple[Chunk, ...] | list[Chunk]) -> None:
        for path, offset, data in chunks:
            self._dataset(path).id.write_direct_chunk(offset, data)

    def _dataset(self, path: str) -> Any:
        """Dataset by path; looking one up costs as much as writing a chunk."""
        dataset = self._datasets.get(path)
        if dataset is None:
            dataset = self._datasets[path] = self._file[path]
        return dataset

    def _append_to_ledger(self, block: EncodedBlock) -> None:
        row: dict[str, int | float | bytes] = {
            "block": len(self._blocks),
            "first_row": block.first_row,
            "rows": block.rows,
            "seconds": block.seconds,
            "agents": block.agents,
            "held_shares": block.held_shares,
            "checksum": block.checksum.encode(),
        }
        for name, value in row.items():
            self._append(f"{LEDGER}/{name}", len(self._blocks), value)

    def _append_theta_checksums(self, checksums: Sequence[str]) -> None:
        for checksum in checksums:
            number = len(self._theta_checksums)
            self._append(f"{LEDGER}/{THETA_BLOCK}", number, number)
            self._append(f"{LEDGER}/{THETA_CHECKSUM}", number, checksum.encode())
            self._theta_checksums.append(checksum)

    def _append(self, path: str, place: int, value: int | float | bytes) -> None:
        column = self._dataset(path)
        column.resize(place + 1, axis=0)
        column[place] = value

    def finish(
        self,
        status: FinalStatus = "complete",
        *,
        rows: int | None = None,
        enough: bool = False,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Results:
        """Close the file, flush it to the disk and give it its name.

        Parameters
        ----------
        status : {"complete", "interrupted"}
            ``"complete"`` needs all replicates and, if stored, all parameter sets.
        rows : int, optional
            Replicates to keep, at the end of a block; by default all that were committed.
        enough : bool
            What was committed is all that is wanted: ``"complete"`` means that then, and ``requested_replicates`` and
            ``nested`` become those of a run of just as many.
        attributes : mapping, optional
            Further root attributes, such as the time of the end.

        Returns
        -------
        Results
            Ready to read, from the file or from memory.

        Raises
        ------
        ResultsError
            The disk is full or failed, or nothing was committed.
        """
        kept = self.rows if rows is None else rows
        if not self._blocks:
            raise ResultsError(f"{self.target or 'in memory'}: no block was finished, nothing to keep")
        if kept not in self._blocks:
            raise ValueError(f"{kept} replicates is not the end of a block that was committed")
        if enough and kept % (self.replicates // self.thetas):
            raise ValueError(f"{kept} replicates are no whole number of parameter sets")
        if status == "complete" and kept != self.replicates and not enough:
            raise ValueError(f"{kept} of {self.replicates} replicates: not complete")
        thetas = -(-kept // (self.replicates // self.thetas))
        if self.store_theta and self._theta_rows < thetas:
            raise ValueError(f"{self._theta_rows} parameter sets were written, {kept} replicates need {thetas}")
        with undisturbed():
            with self._writing("the end of the file"):
                if self._theta_buffered:
                    self._flush_theta()
                self._file.flush()
                self._truncate(kept, thetas)
                own: dict[str, Attribute] = {"status": status}
                if enough:
                    own |= {"requested_replicates": kept, "nested": [thetas, kept // thetas]}
                write_attributes(self._file, {**(attributes or {}), **own})
                self._file.attrs[DESCRIPTION_CHECKSUM] = np.bytes_(description_checksum(self._file).encode())
                self._file.flush()
            return self._close()

    def _close(self) -> Results:
        """Close the finished file, make sure that the disk has it, and give it its name."""
        self._datasets.clear()
        self._open = False
        if self.target is None or self._partial is None or self._disk is None:
            return Results(None, self._file)
        self._file.close()
        self._disk.flush_to_disk()
        self._disk.close()
        if self._disk.failure is not None:
            self._partial.unlink(missing_ok=True)
            raise self._refusal("the end of the file", self._disk.failure) from self._disk.failure
        publish(self._partial, self.target, replace=self._replace)
        return open_results(self.target)

    def _truncate(self, rows: int, thetas: int) -> None:
        """Shrink every dataset to the replicates, parameter sets and blocks that are kept."""
        names = [REPLICATE, *IDENTIFIERS]
        for variable in self.layout.variables:
            names += [variable.name, f"{TOTALS}/{variable.name}"]
        lengths = dict.fromkeys(names, rows)
        if self.store_theta:
            names = [THETA, *(column.name for column in self.layout.parameters)]
            lengths |= {f"{PARAMETERS}/{name}": thetas for name in names}
        theta_blocks = -(-thetas // CHUNK_ROWS) if self.store_theta else 0
        cut = self.store_theta and thetas < min(self._theta_rows, theta_blocks * CHUNK_ROWS)
        by_theta = (THETA_BLOCK, THETA_CHECKSUM)
        for name in self._file[LEDGER]:
            lengths[f"{LEDGER}/{name}"] = theta_blocks if name in by_theta else self._blocks.index(rows) + 1
        for path, length in lengths.items():
            dataset = self._dataset(path)
            if dataset.shape[0] != length:
                dataset.resize(length, axis=0)
        if cut:  # the last checksum was one of more parameter sets than are kept
            first = (theta_blocks - 1) * CHUNK_ROWS
            names = self.layout.parameter_names
            kept = [self._dataset(f"{PARAMETERS}/{name}")[first:thetas] for name in names]
            checksum = theta_checksum(first, names, kept)
            self._dataset(f"{LEDGER}/{THETA_CHECKSUM}")[theta_blocks - 1] = checksum.encode()

    def abort(self) -> None:
        """Drop everything: close and remove the unfinished file. Does nothing after `finish`."""
        if not self._open:
            return
        self._open = False
        self._datasets.clear()
        with undisturbed(), contextlib.suppress(OSError, RuntimeError):
            self._file.close()
        if self._disk is not None and self._partial is not None:
            self._disk.close()
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abort unless finished."""
        self.abort()
