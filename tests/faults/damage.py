"""Everything that can be read of a results file, read in a process that may crash, hang or be lied to.

A file with a flipped bit or a missing end is read item by item. What an item holds is compared by digest with what was
written; an item that cannot be read must end in a ResultsError of one line.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.faults.confined import PATIENCE, Confinement

REFUSED = "refused"
# Measured, and of no consequence for any number: a flip is still found, for the description's checksum covers it.
Items = dict[str, str]


def digest(value: Any) -> str:
    """Digest of an array, a table, a text, or plain values."""
    if isinstance(value, np.ndarray):
        plain = f"{value.dtype.str} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    elif hasattr(value, "to_csv"):
        plain = value.to_csv().encode()
    else:
        plain = repr(value).encode()
    return hashlib.blake2b(plain, digest_size=16).hexdigest()


def readings(path: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names and readings of everything in a file (ResultsError if it cannot be opened)."""
    import simcore

    results = simcore.open_results(path)
    yield "layout", lambda: results.layout
    yield "attributes", lambda: sorted(results.attributes.items())
    yield "replicates", lambda: (results.replicates, results.requested_replicates, results.nested, results.status)
    yield "documents", lambda: sorted(results.documents().items())
    yield "ledger", lambda: results.ledger()
    yield "theta ids", lambda: results.theta_ids()
    yield "replicate ids", lambda: results.replicate_ids()
    yield "shared ids", lambda: results.shared_ids()
    if results.stores_theta:
        yield "theta", lambda: results.theta()
    for variable in results.layout.variables:
        name, strata = variable.name, variable.strata
        yield f"{name} by all", lambda name=name, strata=strata: results.read(name, by=strata)  # type: ignore[misc]
        yield f"{name} total", lambda name=name: results.read(name)  # type: ignore[misc]
        yield f"{name} end", lambda name=name: results.read(name, rows=slice(-3, None))  # type: ignore[misc]
    yield "verification", lambda: bool(results.verify_checksums())


def read_items(path: Path) -> Items:
    """Digest of every item, or why it cannot be read: `REFUSED` and the message, else the exception."""
    from simcore.errors import ResultsError

    items: Items = {}
    name = "opening"
    reading = readings(path)
    while True:
        try:
            name, read = next(reading)
            items[name] = digest(read())
        except StopIteration:
            return items
        except ResultsError as refusal:
            one_line = str(refusal).startswith(str(path)) and "\n" not in str(refusal)
            items[name] = f"{REFUSED}: {refusal}" if one_line else f"no plain line: {refusal}"
        except Exception as problem:  # noqa: BLE001
            items[name] = f"{type(problem).__name__}: {problem}"


def show(path: str) -> None:
    """Print the items of a file; what the forked process does."""
    sys.stdout.write(json.dumps(read_items(Path(path))) + "\n")


@dataclass(frozen=True)
class Verdict:
    """What a damage did to the reading of a file.

    Attributes
    ----------
    wrong : list of str
        Items that differ without a word, or that ended in something else than a ResultsError.
    refused : list of str
        Items that were refused.
    reported : bool
        Whether verification, or opening, finds the damage.
    """

    wrong: list[str]
    refused: list[str]
    reported: bool

    @property
    def silent(self) -> bool:
        """Whether something is wrong, or cannot be read, and nobody says so."""
        return bool(self.wrong) or (bool(self.refused) and not self.reported)


def examine(server: Confinement, path: Path, expected: Items) -> Verdict:
    """Read a damaged file in a process of its own."""
    ended = server.python(f"from tests.faults.damage import show; show({str(path)!r})", folder=path.parent, memory=-1)
    if ended.code != 0:
        slow = " (waited too long)" if ended.seconds >= PATIENCE else ""
        return Verdict([f"the process ended with {ended.code}{slow}: {ended.errors[-300:]!r}"], [], False)
    found: Items = json.loads(ended.output.decode().splitlines()[-1])
    if "opening" in found and found["opening"].startswith(REFUSED):
        return Verdict([], ["opening"], True)
    refused = [name for name, value in found.items() if value.startswith(REFUSED)]
    compared = (expected.keys() | found.keys()) - {"verification"}
    wrong = [
        f"{name}: {found.get(name, 'missing')}"
        for name in sorted(compared)
        if found.get(name) != expected.get(name) and name not in refused
    ]
    return Verdict(wrong, refused, found.get("verification") == digest(True) or "verification" in refused)


# Places of damage -----------------------------------------------------------------------------------------------------


def flip(path: Path, whole: bytes, position: int, bit: int) -> None:
    """Write a copy with one bit flipped."""
    content = bytearray(whole)
    content[position] ^= 1 << bit
    path.write_bytes(content)


def random_flips(size: int, count: int, seed: int) -> list[tuple[int, int]]:
    """Positions and bits, spread evenly over the file."""
    generator = np.random.default_rng(seed)
    return list(zip(generator.integers(0, size, count).tolist(), generator.integers(0, 8, count).tolist(), strict=True))


def outside_chunks(path: Path) -> list[int]:
    """Positions of a results file that hold no chunk of data: what HDF5 knows about them, texts, and free space."""
    size = path.stat().st_size
    data = np.zeros(size, dtype=bool)
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        for name in names:
            if isinstance(file[name], h5py.Dataset) and file[name].chunks is not None:
                file[name].id.chunk_iter(lambda info: data.__setitem__(_span(info), True))
    return np.flatnonzero(~data).tolist()


def _span(info: Any) -> slice:
    return slice(info.byte_offset, info.byte_offset + info.size)
