"""The head of an unfinished run: what the run is, enough to go on without the scenario's own file; kept twice."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simcore.errors import ResultsError
from simcore.store.description import Attribute
from simcore.store.files import open_plain
from simcore.store.target import HEAD_NAME, parts_path

COPY_NAME: Final = "run-copy.json"
_HEAD_VERSION: Final = 1
_LARGEST_HEAD: Final = 2**30


@dataclass(frozen=True)
class Head:
    """What a run is: everything about its results file that is known before the first block.

    Attributes
    ----------
    replicates, thetas : int
        Asked for.
    store_theta : bool
        Whether parameter sets are stored.
    attributes : mapping
        Root attributes.
    documents : mapping of name to text
        The scenario and its tables.
    rows_id : str
        By which shards of the run are known (`simcore.store.shards`); empty in a head that is not of a folder.
    """

    replicates: int
    thetas: int
    store_theta: bool
    attributes: Mapping[str, Attribute]
    documents: Mapping[str, str]
    rows_id: str = ""


def encoded_head(head: Head) -> str:
    """Return the text of the file that holds a head: the head as JSON text, and its digest."""
    content = {
        "version": _HEAD_VERSION,
        "replicates": head.replicates,
        "thetas": head.thetas,
        "store_theta": head.store_theta,
        "rows_id": head.rows_id,
        "attributes": dict(head.attributes),
        "documents": dict(head.documents),
    }
    text = json.dumps(content, ensure_ascii=True)
    return json.dumps({"checksum": text_checksum(text), "head": text})


def read_head(target: Path) -> Head | None:
    """Return what the unfinished run beside a target is, None if there is none.

    Parameters
    ----------
    target : Path
        The results file that is to be.

    Raises
    ------
    ResultsError
        There is something, but it and its copy are damaged, or it is of a newer program.
    """
    folder = parts_path(target)
    try:
        head = _read_head(folder / HEAD_NAME)
    except NewerHeadError:
        raise
    except ResultsError as problem:
        with contextlib.suppress(ResultsError):
            copy = _read_head(folder / COPY_NAME)
            if copy is not None:
                return copy
        raise ResultsError(
            f"{problem}, and so is {COPY_NAME}, or it is gone: nobody knows any more what the blocks are of; move the "
            "folder away"
        ) from problem
    return head if head is not None else _read_head(folder / COPY_NAME)


def has_head(folder: Path) -> bool:
    """Whether a folder is that of an unfinished run, damaged or not."""
    return (folder / HEAD_NAME).exists() or (folder / COPY_NAME).exists()


class NewerHeadError(ResultsError):
    """The head of a newer program."""


def _read_head(path: Path) -> Head | None:
    try:
        with open_plain(path) as stream:
            whole = json.loads(stream.read(_LARGEST_HEAD))
        text = whole["head"]
        if text_checksum(text) != whole["checksum"]:
            raise ValueError("differs from what was written")
        content = json.loads(text)
        if content["version"] != _HEAD_VERSION:
            raise NewerHeadError(f"{path}: written by a newer simcore (version {content['version']})")
        replicates, thetas = int(content["replicates"]), int(content["thetas"])
        documents, attributes = content["documents"], content["attributes"]
        if thetas < 1 or replicates < 1 or replicates % thetas or not isinstance(attributes, dict):
            raise ValueError(f"{replicates} replicates, {thetas} parameter sets")
        if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
            raise ValueError("documents")
        return Head(
            int(content["replicates"]),
            int(content["thetas"]),
            bool(content["store_theta"]),
            content["attributes"],
            content["documents"],
            str(content.get("rows_id", "")),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        if isinstance(problem, OSError) and problem.errno == errno.ENAMETOOLONG:
            return None  # no file can have such a name
        raise ResultsError(f"{path}: is damaged ({(str(problem).splitlines() or [''])[0]})") from problem


def text_checksum(text: str) -> str:
    """Digest of the text of a head."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
