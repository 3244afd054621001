"""The C contender: a C11 program compiled on the spot, in this process through ctypes, on the same flat arrays.

It does everything itself: probabilities from parameters, exact binomial source draws, the walk, the stored counts. Its
random words are xoshiro256++'s, 64 bits per decision.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from benchmarks.work import IntArray, Work
from simcore.engines.counts import Counts

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O3", "-march=native", "-shared", "-fPIC")
GUIDE_BITS = (8, 10, 12)

# As in c/model.h: names, in order, of the sizes and of the arrays with their types.
_SIZES = (
    "parameters", "cells", "risks", "effects", "destinations", "profiles", "forks", "reattempts", "classes", "starts",
    "fates", "points", "legs", "causes", "outcomes", "attempt_cap", "arrival_outcome", "returned_outcome",
    "arrival_point", "bound",
)  # fmt: skip
_SOURCE = (
    "population", "factor", "active", "odds_ratio", "hazard", "multiplier_start", "multipliers", "effect_start",
    "effect_element", "effect_deviation", "destination",
)  # fmt: skip
_TRANSIT = (
    "cause_outcome", "profile_split", "profile_continue", "profile_cause", "modifier_start", "modifiers",
    "profile_effect", "fork_start", "fork_share", "fork_leg", "reattempt", "class_of", "class_reattempt", "class_start",
    "class_fork", "class_profile", "class_return", "leg_to", "start_class", "start_point", "start_first_route",
    "route_first_step", "step_share", "step_profile", "start_first_fate", "fate_kind", "fate_outcome", "fate_next",
    "fate_visited",
)  # fmt: skip
_TYPES = {"population": np.float64, "active": np.bool_, "profile_split": np.bool_, "fate_visited": np.uint64}
_STORED = ("persons", "at_risk", "victims", "destination", "reached", "visits", "outcome", "attempts")


class _Model(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in _SIZES),
        ("exposure_years", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in (*_SOURCE, *_TRANSIT, "cell_slot", "stratum_slot")),
    ]


class _Work(ctypes.Structure):
    _fields_ = [
        ("rows", ctypes.c_int64),
        ("fixed", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("theta", "shares", "scores")),
    ]


class _Stored(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in _STORED]


class NoCompiler(Exception):
    """The program cannot be compiled here; the message says why."""


def compiler() -> str | None:
    """Return the path of a C compiler: that of the environment variable CC, or the first one found."""
    chosen = os.environ.get("CC", "").split()
    return next((path for name in (*chosen[:1], *COMPILERS) if (path := shutil.which(name))), None)


def _cache_folder() -> Path:
    """Return a folder of the user's for compiled programs; a temporary one if there is none to write to."""
    folder = Path(platformdirs.user_cache_dir("simcore")) / "benchmarks"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="simcore-benchmarks-"))
    return folder


@functools.cache
def library() -> ctypes.CDLL:
    """Compile the program, unless this very one was, and load it.

    Raises
    ------
    NoCompiler
        If there is no compiler or it fails.
    """
    found = compiler()
    if found is None:
        raise NoCompiler(f"no C compiler ({', '.join(COMPILERS)}) found")
    sources = {
        entry.name: entry.read_bytes() for entry in files("benchmarks.c").iterdir() if entry.name[-2:] in (".c", ".h")
    }
    try:
        version = subprocess.run([found, "--version"], capture_output=True, check=True).stdout
        digest = hashlib.blake2b(version + repr((found, FLAGS, sorted(sources.items()))).encode(), digest_size=8)
        place = _cache_folder() / f"walk-{digest.hexdigest()}.so"
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=place.parent) as folder:
                for name, text in sources.items():
                    (Path(folder) / name).write_bytes(text)
                units = [str(Path(folder) / name) for name in sorted(sources) if name.endswith(".c")]
                made = Path(folder) / "walk.so"
                subprocess.run([found, *FLAGS, "-o", str(made), *units, "-lm"], capture_output=True, check=True)
                made.replace(place)
        loaded = ctypes.CDLL(str(place))
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise NoCompiler(f"{Path(found).name} {' '.join(FLAGS)} fails: {said[0] if said else error}") from None
    except OSError as error:
        raise NoCompiler(f"the C program cannot be compiled or loaded: {error}") from None
    pointer = ctypes.c_void_p
    loaded.simulate.argtypes = [pointer, pointer, pointer, ctypes.c_uint64, ctypes.c_int64]
    loaded.simulate.restype = None
    loaded.binomials.argtypes = [ctypes.c_uint64, ctypes.c_int64, ctypes.c_double, ctypes.c_int64, pointer]
    loaded.binomials.restype = None
    return loaded


def binomial_sample(seed: int, trials: int, probability: float, number: int) -> IntArray:
    """Return ``number`` binomial counts of the C program, int64 [number]."""
    drawn = np.empty(number, dtype=np.int64)
    library().binomials(seed, trials, probability, number, drawn.ctypes.data)
    return drawn


class CProgram:
    """The contender, leg by leg or, with ``guide_bits`` > 0, by the collapsed table with a guide of so many bits."""

    def __init__(self, guide_bits: int = 0) -> None:
        self.guide_bits = guide_bits
        self._laid_out: tuple[object, _Model, list[Any]] | None = None

    def __call__(self, work: Work, generator: np.random.Generator) -> Counts:
        """Simulate in C; ``generator`` gives the seed."""
        if self._laid_out is None or self._laid_out[0] is not work.model:
            self._laid_out = (work.model, *_lay_out(work))
        model = self._laid_out[1]
        inputs = [np.ascontiguousarray(array) for array in (work.theta, work.shares, work.scores)]
        counts = work.slots.empty_counts(work.replicates)
        # One integer type for all: the file's narrower one would have to be known when the program is compiled.
        wide = {name: np.zeros(getattr(counts, name).shape, dtype=np.int64) for name in _STORED}
        given = _Work(work.replicates, int(work.fixed), *(array.ctypes.data for array in inputs))
        filled = _Stored(*(wide[name].ctypes.data for name in _STORED))
        seed = int(generator.integers(2**63))
        library().simulate(
            ctypes.byref(model), ctypes.byref(given), ctypes.byref(filled), seed, self.guide_bits
        )  # fmt: skip
        return counts._replace(**wide)


def _lay_out(work: Work) -> tuple[_Model, list[Any]]:
    """Return the model as C sees it, and the arrays that it points to, which must be kept alive."""
    source, transit = work.model.source, work.model.transit
    if source.members.tolist() != [1, 2]:
        raise ValueError("the C program knows two exploitation levels, each with a risk of its own")
    sizes = {
        "parameters": work.theta.shape[1],
        "cells": source.population.size,
        "risks": work.shares.shape[2],
        "effects": work.scores.shape[1],
        "destinations": source.destination.shape[2],
        "profiles": transit.profile_split.size,
        "forks": transit.fork_start.size - 1,
        "reattempts": transit.reattempt.shape[0],
        "classes": transit.class_start.size,
        "starts": transit.start_class.size,
        "fates": transit.fate_kind.size,
        "bound": source.bound,
    }
    sizes |= {name: getattr(transit, name) for name in _SIZES if name not in sizes}
    arrays = {name: getattr(source, name) for name in _SOURCE} | {name: getattr(transit, name) for name in _TRANSIT}
    arrays |= {"cell_slot": work.slots.cell_slot, "stratum_slot": work.slots.stratum_slot}
    kept: dict[str, npt.NDArray[Any]] = {
        name: np.ascontiguousarray(array, dtype=_TYPES.get(name, np.int64)) for name, array in arrays.items()
    }
    model = _Model(
        **sizes,
        exposure_years=source.exposure_years,
        **{name: array.ctypes.data for name, array in kept.items()},
    )
    return model, list(kept.values())
