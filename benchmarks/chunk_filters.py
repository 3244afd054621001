"""Ways to compress a chunk: levels of deflate by ISA-L and zlib, with and without the byte shuffle, and HDF5's own.

The way of the store (`simcore.store.compression`) and HDF5's include the shuffle; the others are given bytes that were
shuffled, or not, before. Whatever made the bytes, they are inflated by ISA-L, as the reader does; unshuffling is not
timed. Called by `benchmarks.chunk_shapes`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TypedDict

import h5py
import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from rich import box
from rich.table import Table

from benchmarks.timing import Samples, Spread, alternate
from simcore.store.compression import encode_chunk

ISAL_LEVELS = (0, 1, 2, 3)
ZLIB_LEVELS = (1, 6)
STORED, HDF5 = "as stored (shuffle, isal 1)", "HDF5 (shuffle, gzip 1)"

Compress = Callable[[Any], bytes]


class FilterResult(TypedDict):
    """One way to compress one kind of data; speeds are of uncompressed bytes per second of processor time."""

    data: str
    way: str
    bytes_share: float
    encode_bytes_per_second: dict[str, float]
    decode_bytes_per_second: dict[str, float]


def _hdf5_pipeline(values: npt.NDArray[Any]) -> bytes:
    """Let HDF5 shuffle and deflate a chunk, in memory."""
    with h5py.File("pipeline", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset(
            "x", data=values, chunks=values.shape, shuffle=True, compression="gzip", compression_opts=1
        )
        encoded: bytes = dataset.id.read_direct_chunk((0,) * values.ndim)[1]
    return encoded


def _compressors() -> dict[str, Compress]:
    return {
        **{f"isal {level}": partial(isal_zlib.compress, level=level) for level in ISAL_LEVELS},
        **{f"zlib {level}": partial(zlib.compress, level=level) for level in ZLIB_LEVELS},
    }


def compare_filters(data: str, chunks: Sequence[npt.NDArray[Any]], rounds: int) -> list[FilterResult]:
    """Time all ways to compress some chunks, alternating.

    Parameters
    ----------
    data : str
        What the chunks hold, for the table.
    chunks : sequence of C-contiguous arrays
    rounds : int
        Timed calls of each way; one more comes before and is not counted.
    """
    plain = [values.tobytes() for values in chunks]
    shuffled = [values.reshape(-1, 1).view(np.uint8).T.tobytes() for values in chunks]
    ways: dict[str, tuple[Compress, Sequence[Any]]] = {STORED: (encode_chunk, chunks), HDF5: (_hdf5_pipeline, chunks)}
    for words, given in (("shuffled before", shuffled), ("not shuffled", plain)):
        ways |= {f"{name}, {words}": (compress, given) for name, compress in _compressors().items()}
    encoded: dict[str, list[bytes]] = {}

    def encode(name: str) -> None:
        compress, given = ways[name]
        encoded[name] = [compress(each) for each in given]

    def decode(name: str) -> None:
        for each in encoded[name]:
            isal_zlib.decompress(each)

    calls = {
        f"{word} {name}": partial(call, name)
        for name in ways
        for word, call in (("encode", encode), ("decode", decode))
    }
    alternate(calls, {name: Samples(0, 0, 0) for name in calls}, 1)
    samples = {name: Samples(0, 0, 0) for name in calls}
    alternate(calls, samples, rounds)
    whole = sum(map(len, plain))
    return [
        {
            "data": data,
            "way": name,
            "bytes_share": sum(map(len, encoded[name])) / whole,
            "encode_bytes_per_second": asdict(Spread.of(samples[f"encode {name}"].rates(whole))),
            "decode_bytes_per_second": asdict(Spread.of(samples[f"decode {name}"].rates(whole))),
        }
        for name in ways
    ]


def filter_table(filters: Sequence[FilterResult]) -> Table:
    """Make the table of all ways."""
    table = Table(box=box.MARKDOWN, title="filters; MB/s of uncompressed bytes, one thread: median (range)")
    for heading in ("data", "filter", "bytes left", "encode", "decode"):
        table.add_column(heading, justify="left" if heading in ("data", "filter") else "right")
    for way in filters:
        speeds = [
            f"{spread['median'] / 1e6:.0f} ({spread['low'] / 1e6:.0f}-{spread['high'] / 1e6:.0f})"
            for spread in (way["encode_bytes_per_second"], way["decode_bytes_per_second"])
        ]
        table.add_row(way["data"], way["way"], f"{100 * way['bytes_share']:.1f} %", *speeds)
    return table
