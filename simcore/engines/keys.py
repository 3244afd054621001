"""Philox keys of every stream of a model, by purpose and stratum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simcore.engines.random import derive_key
from simcore.errors import ScenarioError

KeyArray = npt.NDArray[np.uint64]


class Keys(NamedTuple):
    """Keys of the individual draws; see the address map in `random`."""

    at_risk: KeyArray  # [C]
    event: KeyArray  # [C]
    destination: KeyArray  # [S]
    attempt: KeyArray  # [S]
    reattempt: KeyArray  # [S]
    tie: KeyArray  # [S]
    leg: KeyArray  # [S, L]
    branch: KeyArray  # [S, N]
    cohort: KeyArray  # [S]


def derive_keys(
    seed: int,
    cells: Sequence[tuple[str, ...]],
    strata: Sequence[tuple[str, ...]],
    legs: Sequence[str],
    points: Sequence[str],
) -> Keys:
    """Derive all keys of a run; names are level names in the order origin, sex, age band, exploitation."""

    def of(purpose: str, names: Iterable[tuple[str, ...]]) -> KeyArray:
        return np.array([derive_key(seed, purpose, name) for name in names], dtype=np.uint64)

    def by_part(purpose: str, parts: Sequence[str]) -> KeyArray:
        keys = of(purpose, ((*name, part) for name in strata for part in parts))
        return keys.reshape(len(strata), len(parts))

    return Keys(
        at_risk=of("at_risk", cells),
        event=of("event", cells),
        destination=of("destination", strata),
        attempt=of("attempt", strata),
        reattempt=of("reattempt", strata),
        tie=of("tie", strata),
        leg=by_part("leg", legs),
        branch=by_part("branch", points),
        cohort=of("cohort", strata),
    )


def refuse_collisions(*streams: KeyArray) -> None:
    """Refuse two streams with one key (their draws would be identical).

    Raises
    ------
    ScenarioError
        If any key occurs twice; with 64-bit keys and ten thousand streams the chance is 3e-12, and another seed cures
        it.
    """
    keys = np.concatenate([stream.ravel() for stream in streams])
    if np.unique(keys).size != keys.size:
        raise ScenarioError("two random streams of this seed have the same key: choose another seed")
