"""How much room each dataset of a results file takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcore.store import Results


@dataclass(frozen=True)
class StoredDataset:
    """A dataset as it lies in the file.

    Attributes
    ----------
    path : str
    shape : tuple of int
    dtype : str
    chunks : tuple of int or None
    stored, raw : int
        Bytes in the file and uncompressed.
    grows : bool
        Whether its first axis grows with the run.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    stored: int
    raw: int
    grows: bool


def stored_datasets(results: Results) -> list[StoredDataset]:
    """Return every dataset of open results, each once, in the order of the file."""
    import h5py

    found: dict[Any, StoredDataset] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.id not in found:
            raw = prod(item.shape) * item.dtype.itemsize
            grows = bool(item.maxshape) and item.maxshape[0] is None
            found[item.id] = StoredDataset(
                name, item.shape, str(item.dtype), item.chunks, item.id.get_storage_size(), raw, grows
            )

    results._file.visititems(look)
    return list(found.values())
