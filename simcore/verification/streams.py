"""The generator's words as an endless stream, in the orders in which a run could betray a pattern.

``python -m simcore.verification.streams ORDER [--seed N] [--start WORD] [--words NUMBER]`` writes raw 32-bit words
(little endian) to standard output until the pipe is closed, for a battery of tests such as dieharder
(docs/verification.md). Every order visits addresses of the map in `simcore.engines.random`, each at most once:

agents
    attempt words of agent 0, 1, 2, ... of one stratum; then the next replicate.
replicates
    the attempt word of one agent in replicate 0, 1, 2, ...; then the next agent.
strata
    the attempt word of one agent in 65,536 strata, whose keys come from consecutive names; then the next agent.
thetas
    the two words of one parameter in parameter set 0, 1, 2, ...; then the next parameter.
attempts
    re-attempt words of one agent, attempts 2 to 9; then the next agent.
purposes
    all words of a small replicate, purpose after purpose as the engine asks for them; then the next replicate.

An order is a function from positions in the stream to addresses, so any stretch of it can be had.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from simcore.engines.random import derive_key, philox4x32
from simcore.engines.source_draws import EVENT_STRIDE

Positions = npt.NDArray[np.uint64]
Order = Callable[[Positions], "Addresses"]

SEED = 20050701
STRATA = 65_536
WORDS_AT_ONCE = 1 << 16
ONE_STRATUM = ("COL", "female", "12-17", "S")
_MASK_32 = np.uint64(0xFFFFFFFF)


class Addresses(NamedTuple):
    """Where the words of some positions come from: word ``word`` of the block at ``counter`` under ``key``."""

    key: npt.NDArray[np.uint64]  # [n]
    counter: npt.NDArray[np.uint32]  # [4, n]
    word: npt.NDArray[np.int64]  # [n]


def _addresses(key: Any, c0: Any, c1: Any, c2: Any, c3: Any, word: npt.NDArray[Any]) -> Addresses:
    """Broadcast keys and counter words (below 2**32) to the shape of ``word``."""
    counter = np.stack([np.broadcast_to(np.asarray(c, dtype=np.uint32), word.shape) for c in (c0, c1, c2, c3)])
    keys = np.broadcast_to(np.asarray(key, dtype=np.uint64), word.shape)
    return Addresses(np.ascontiguousarray(keys), counter, word.astype(np.int64))


def stratum_names(number: int) -> tuple[str, str, str, str]:
    """Return the levels of stratum ``number`` (0 ... STRATA - 1): exploitation runs fastest, origin slowest."""
    origin, rest = divmod(number, 16)
    sex, rest = divmod(rest, 8)
    band, exploitation = divmod(rest, 2)
    return f"O{origin}", ("female", "male")[sex], ("0-11", "12-17", "18-39", "40+")[band], "SL"[exploitation]


def _agents(seed: int) -> Order:
    key = derive_key(seed, "attempt", ONE_STRATUM)

    def at(n: Positions) -> Addresses:
        agent = n & _MASK_32
        return _addresses(key, agent >> 2, 0, n >> 32, 0, agent & 3)

    return at


def _replicates(seed: int) -> Order:
    key = derive_key(seed, "attempt", ONE_STRATUM)

    def at(n: Positions) -> Addresses:
        agent = n >> 32
        return _addresses(key, agent >> 2, 0, n & _MASK_32, 0, agent & 3)

    return at


def _strata(seed: int) -> Order:
    names = map(stratum_names, range(STRATA))
    keys = np.array([derive_key(seed, "attempt", name) for name in names], dtype=np.uint64)

    def at(n: Positions) -> Addresses:
        agent = n // STRATA & _MASK_32
        return _addresses(keys[n % STRATA], agent >> 2, 0, n // STRATA >> 32, 0, agent & 3)

    return at


def _thetas(seed: int) -> Order:
    keys = np.array([derive_key(seed, "parameter", (f"p{i}",)) for i in range(1024)], dtype=np.uint64)

    def at(n: Positions) -> Addresses:
        return _addresses(keys[n >> 33], 0, 0, 0, n >> 1 & _MASK_32, n & 1)

    return at


def _attempts(seed: int) -> Order:
    key = derive_key(seed, "reattempt", ONE_STRATUM)

    def at(n: Positions) -> Addresses:
        return _addresses(key, n >> 3 & _MASK_32, n >> 2 & 1, n >> 35, 0, n & 3)

    return at


def replicate_words(seed: int) -> list[tuple[int, int, int, int]]:
    """Return (key, c0, c1, word) of every word of a small replicate, in the order in which the engine needs them.

    Two person cells with two exploitations: at-risk classes, events, destinations, first attempts of eight agents and
    their re-attempts, ties, then what the leg-by-leg walk would draw for them.
    """
    words: list[tuple[int, int, int, int]] = []

    def add(purpose: str, names: Sequence[str], c0: int, c1: int, used: Sequence[int]) -> None:
        key = derive_key(seed, purpose, names)
        words.extend((key, c0, c1, word) for word in used)

    block = range(4)
    for cell in (("COL", "female", "12-17"), ("COL", "male", "12-17")):
        add("shared", ("origin_year", *cell), 0, 0, range(2))
        for risk_class in range(1, 4):
            add("at_risk", cell, risk_class, 0, block)
            for x in range(2):
                add("event", cell, risk_class * EVENT_STRIDE + x, 0, block)
        for stratum in ((*cell, "S"), (*cell, "L")):
            for destination, iteration in itertools.product(range(3), range(2)):
                add("destination", stratum, destination, iteration, block)
            for agent in range(8):
                add("attempt", stratum, agent // 4, 0, (agent % 4,))
            for agent in range(8):
                add("reattempt", stratum, agent, 0, range(2))
                add("tie", stratum, agent, 0, (0,))
                add("branch", (*stratum, "HUB"), agent, 0, range(2))
                add("leg", (*stratum, "land"), agent, 0, block)
    return words


def _purposes(seed: int) -> Order:
    words = replicate_words(seed)
    keys = np.array([key for key, _, _, _ in words], dtype=np.uint64)
    c0, c1, word = (np.array([entry[i] for entry in words], dtype=np.uint32) for i in (1, 2, 3))

    def at(n: Positions) -> Addresses:
        replicate, place = np.divmod(n, np.uint64(len(words)))
        return _addresses(keys[place], c0[place], c1[place], replicate & _MASK_32, replicate >> 32, word[place])

    return at


ORDERS: dict[str, Callable[[int], Order]] = {
    "agents": _agents,
    "replicates": _replicates,
    "strata": _strata,
    "thetas": _thetas,
    "attempts": _attempts,
    "purposes": _purposes,
}


def _words_at(
    key: npt.NDArray[np.uint64],
    counter: npt.NDArray[np.uint32],
    word: npt.NDArray[np.int64],
    words: npt.NDArray[np.uint32],
) -> None:
    for i in range(words.size):
        words[i] = philox4x32(counter[0, i], counter[1, i], counter[2, i], counter[3, i], key[i])[word[i]]


# Compiled anew in every process: the folder of cached machine code is named by the sources of the engine alone.
_fill_words = numba.njit(nogil=True, error_model="numpy")(_words_at)


def words_at(addresses: Addresses) -> npt.NDArray[np.uint32]:
    """Return the words (uint32 [n]) at ``addresses``, from the engine's own generator."""
    words = np.empty(addresses.word.size, dtype=np.uint32)
    _fill_words(*addresses, words)
    return words


def chunks(order: str, *, seed: int = SEED, start: int = 0, number: int | None = None) -> Iterator[bytes]:
    """Yield the words of an order as bytes (little endian): ``number`` of them from position ``start``, or for ever."""
    at = ORDERS[order](seed)
    stop = None if number is None else start + number
    for first in itertools.count(start, WORDS_AT_ONCE):
        last = first + WORDS_AT_ONCE if stop is None else min(first + WORDS_AT_ONCE, stop)
        if last <= first:
            return
        yield words_at(at(np.arange(first, last, dtype=np.uint64))).astype("<u4", copy=False).tobytes()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a stream to standard output; a closed pipe is its ordinary end."""
    parser = argparse.ArgumentParser(prog="python -m simcore.verification.streams", description=__doc__.split("\n")[0])
    parser.add_argument("order", choices=list(ORDERS))
    parser.add_argument("--seed", type=int, default=SEED, help=f"seed of the keys (default {SEED})")
    parser.add_argument("--start", type=int, default=0, help="first position")
    parser.add_argument("--words", type=int, default=None, help="how many words; all by default")
    options = parser.parse_args(arguments)
    try:
        for chunk in chunks(options.order, seed=options.seed, start=options.start, number=options.words):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it flushes
    return 0


if __name__ == "__main__":
    sys.exit(main())
