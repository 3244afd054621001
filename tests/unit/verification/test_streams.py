"""The orders in which the generator's words go to a battery: exact words, documented addresses, none of them twice."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from simcore.verification.streams import ONE_STRATUM, ORDERS, STRATA, Addresses, chunks, stratum_names, words_at
from tests.conftest import ROOT
from tests.twin.philox import philox_block, stream_key

NUMBER = 3000
FAR = (0, 2**31 - 1500, 2**32 - 1500, 2**33 - 1500, 2**35 - 1500)  # around where one counter word is used up


def documented(order: str, seed: int, n: int) -> int:
    """Return word ``n`` of an order from the module's own description and the plain-Python generator."""
    low, high = n % 2**32, n // 2**32
    match order:
        case "agents":
            key, counter, word = stream_key(seed, "attempt", ONE_STRATUM), (low // 4, 0, high, 0), low % 4
        case "replicates":
            key, counter, word = stream_key(seed, "attempt", ONE_STRATUM), (high // 4, 0, low, 0), high % 4
        case "strata":
            agent, stratum = divmod(n, STRATA)
            key = stream_key(seed, "attempt", stratum_names(stratum))
            counter, word = (agent // 4, 0, 0, 0), agent % 4
        case "thetas":
            parameter, rest = divmod(n, 2**33)
            key, counter, word = stream_key(seed, "parameter", (f"p{parameter}",)), (0, 0, 0, rest // 2), rest % 2
        case "attempts":
            person, attempt = divmod(n, 8)  # attempt 0 is the second one
            replicate, agent = divmod(person, 2**32)
            key = stream_key(seed, "reattempt", ONE_STRATUM)
            counter, word = (agent, attempt // 4, replicate, 0), attempt % 4
        case "purposes":
            replicate, place = divmod(n, len(small_replicate(seed)))
            key, c0, c1, word = small_replicate(seed)[place]
            counter = (c0, c1, replicate % 2**32, replicate // 2**32)
    return philox_block(counter, key)[word]


def small_replicate(seed: int) -> list[tuple[int, int, int, int]]:
    """Return (key, c0, c1, word) of what a replicate of two cells draws, written out a second time."""
    words = []

    def add(purpose: str, names: tuple[str, ...], c0: int, used: list[int], rounds: int = 1) -> None:
        key = stream_key(seed, purpose, names)
        words.extend((key, c0, c1, word) for c1 in range(rounds) for word in used)

    every = [0, 1, 2, 3]
    for sex in ("female", "male"):
        cell = ("COL", sex, "12-17")
        add("shared", ("origin_year", *cell), 0, [0, 1])
        for risk_class in (1, 2, 3):
            add("at_risk", cell, risk_class, every)
            add("event", cell, 256 * risk_class, every)
            add("event", cell, 256 * risk_class + 1, every)
        for exploitation in ("S", "L"):
            names = (*cell, exploitation)
            for destination in (0, 1, 2):
                add("destination", names, destination, every, rounds=2)
            add("attempt", names, 0, every)
            add("attempt", names, 1, every)
            for agent in range(8):
                add("reattempt", names, agent, [0, 1])
                add("tie", names, agent, [0])
                add("branch", (*names, "HUB"), agent, [0, 1])
                add("leg", (*names, "land"), agent, every)
    return words


def addresses(order: str, seed: int, start: int, number: int) -> Addresses:
    return ORDERS[order](seed)(np.arange(start, start + number, dtype=np.uint64))


def test_stratum_names_are_all_different_and_run_like_an_odometer() -> None:
    names = [stratum_names(number) for number in range(STRATA)]
    assert len(set(names)) == STRATA
    assert names[:3] == [("O0", "female", "0-11", "S"), ("O0", "female", "0-11", "L"), ("O0", "female", "12-17", "S")]
    assert names[16] == ("O1", "female", "0-11", "S")


@pytest.mark.parametrize("order", ORDERS)
def test_words_are_those_of_the_documented_addresses(order: str, seed: int) -> None:
    for start in FAR:
        words = words_at(addresses(order, seed, start, NUMBER)).tolist()
        for place in itertools.chain(range(40), range(1480, 1520), range(0, NUMBER, 97)):
            assert words[place] == documented(order, seed, start + place), start + place


@pytest.mark.parametrize("order", ORDERS)
def test_no_address_is_visited_twice(order: str, seed: int) -> None:
    seen: set[tuple[int, ...]] = set()
    made = 0
    for start in FAR:
        key, counter, word = addresses(order, seed, start, NUMBER)
        seen.update(zip(key.tolist(), *counter.tolist(), word.tolist(), strict=True))
        made += NUMBER
    assert len(seen) == made


def test_orders_that_share_a_purpose_meet_only_where_they_must() -> None:
    """`agents` and `replicates` read one stream in two directions: they have the first word in common and no other."""
    first, second = (addresses(order, 1, 0, NUMBER) for order in ("agents", "replicates"))
    pairs = [
        set(zip(key.tolist(), *counter.tolist(), word.tolist(), strict=True)) for key, counter, word in (first, second)
    ]
    assert pairs[0] & pairs[1] == {(stream_key(1, "attempt", ONE_STRATUM), 0, 0, 0, 0, 0)}


def test_chunks_are_one_stream_from_any_position(seed: int) -> None:
    whole = b"".join(chunks("attempts", seed=seed, number=200_000))
    assert len(whole) == 4 * 200_000
    assert b"".join(chunks("attempts", seed=seed, start=65_500, number=70_000)) == whole[4 * 65_500 : 4 * 135_500]
    assert int.from_bytes(whole[:4], "little") == documented("attempts", seed, 0)
    assert whole != b"".join(chunks("attempts", seed=seed + 1, number=200_000))


def test_command_writes_until_the_pipe_closes_and_says_nothing(seed: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "simcore.verification.streams", "purposes", "--seed", str(seed)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.read(4 * 1000)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
    assert head == b"".join(chunks("purposes", seed=seed, number=1000))
