"""The map from (seed, purpose, stratum, replicate, agent, attempt) to Philox key and counter: fixed, and injective."""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np
import pytest

import simcore
from simcore.engines.keys import derive_keys, refuse_collisions
from simcore.engines.random import derive_key, philox4x32
from simcore.errors import ScenarioError
from simcore.model import RESULTS_VERSION, CompiledModel
from simcore.scenario import Scenario
from tests.twin.comparison import AXES
from tests.twin.philox import Chance, stream_key
from tests.twin.simulation import simulate

STRATUM = ("COL", "female", "12-17", "S")
# (seed, purpose, names), key, block at counter (3, 1, 2, 5). These may never change: every result of every seed hangs
# on them. Whoever changes one changes all results, and must raise RESULTS_VERSION.
PINNED = [
    (0, "parameter", ("at_poe_share",), 0xF482DC67AA56BD5D, (0x6ECB6113, 0xBCE3A45F, 0x32CEDBEE, 0xA121F1B0)),
    (7, "parameter", ("way[US_SWB]",), 0xF79F93DE241FFC6A, (0xEA952D53, 0x71CF8124, 0xF4F37038, 0x11C2C5FC)),
    (7, "shared", ("origin_year", "COL"), 0x86F73A6BFF145CCB, (0xC37CBFAA, 0xEFE80C7C, 0x38E15F48, 0x5F47DA95)),
    (7, "at_risk", STRATUM[:3], 0xC04724AE67229EA0, (0xB868A8C0, 0xA124E432, 0x5962F69A, 0x85BDE01D)),
    (7, "event", STRATUM[:3], 0x19B47DE53F3ED59A, (0x84640A1E, 0x79E8765, 0x970B288, 0x47ED1A9C)),
    (7, "destination", STRATUM, 0xEE43C38E9F9CFB6D, (0x338BBC68, 0xA38EB8A8, 0xFE53963C, 0xB227B809)),
    (7, "attempt", STRATUM, 0x6446B536F5C8DECD, (0x676C57D5, 0xE1C344D9, 0xE198D775, 0x20D6DB8D)),
    (7, "reattempt", STRATUM, 0x6D0799196E3089AA, (0xF8CF178B, 0x72E0E61C, 0xE2F1FA28, 0x34B5AAF6)),
    (7, "tie", STRATUM, 0x556D3F4095E5D71D, (0xAE2BB30A, 0xDA901342, 0xB21867C0, 0x4AA80440)),
    (7, "leg", (*STRATUM, "ca_air"), 0x61CFAC39854E0C9E, (0xC72C07E1, 0x5DB2ED15, 0x4C470315, 0xC80DB438)),
    (7, "branch", (*STRATUM, "US_LINE"), 0x8A6BB5BF789EA53D, (0xF57177AD, 0x59B835AA, 0x6E245685, 0xB24A6A63)),
    (
        2**64 - 1,
        "tie",
        ("Ñandú", "ü", "40+", "L"),
        0xBB28B3F62C75B63F,
        (0xEF82D1F5, 0xC37ECD87, 0xC38A76A4, 0x366B4148),
    ),
]
# RESULTS_VERSION -> digest of the counts below
PINNED_COUNTS = {1: "ab4d992d903c0247d611cb9c3723ebe3"}


@pytest.mark.parametrize(("seed", "purpose", "names", "key", "block"), PINNED)
def test_keys_and_words_are_pinned(
    seed: int, purpose: str, names: tuple[str, ...], key: int, block: tuple[int, ...]
) -> None:
    assert derive_key(seed, purpose, names) == key
    assert stream_key(seed, purpose, names) == key
    counter = (np.uint32(word) for word in (3, 1, 2, 5))
    assert tuple(int(word) for word in philox4x32(*counter, np.uint64(key))) == block


def test_counts_of_this_results_version_are_pinned(tiny: Scenario, golden: Scenario, maze: Scenario) -> None:
    """The same bits as ever, or a new RESULTS_VERSION: files of one version must be comparable."""
    digest = hashlib.blake2b(digest_size=16)
    for scenario, walker in itertools.product((tiny, golden, maze), ("collapsed", "leg-by-leg")):
        results = simcore.run(scenario, nested=(4, 2), seed=7, walker=walker, store_by=AXES, store_ended=True)
        for variable in results.layout.variables:
            digest.update(results.read(variable.name, by=variable.strata).astype("<i8").tobytes())
    assert digest.hexdigest() == PINNED_COUNTS.get(RESULTS_VERSION), "bits changed: raise RESULTS_VERSION and pin anew"


def test_keys_of_a_model_are_those_of_its_names(maze_model: CompiledModel, seed: int) -> None:
    """By position in the arrays, the key that belongs to the levels at that position."""
    keys = maze_model.streams(seed).keys
    legs, points = maze_model.journeys.legs, maze_model.journeys.points
    for index, cell in enumerate(maze_model.cells):
        names = tuple(cell[axis] for axis in ("origin", "sex", "age_band"))
        for purpose in ("at_risk", "event"):
            assert int(getattr(keys, purpose)[index]) == stream_key(seed, purpose, names)
    for index, stratum in enumerate(maze_model.strata):
        names = tuple(stratum[axis] for axis in AXES)
        for purpose in ("destination", "attempt", "reattempt", "tie"):
            assert int(getattr(keys, purpose)[index]) == stream_key(seed, purpose, names)
        assert keys.leg[index].tolist() == [stream_key(seed, "leg", (*names, leg)) for leg in legs]
        assert keys.branch[index].tolist() == [stream_key(seed, "branch", (*names, point)) for point in points]


def test_address_map_is_injective_on_a_grid(seed: int) -> None:
    """No two (purpose, stratum, draw, iteration, replicate, theta) share an address, and no two agents a word."""
    strata = list(itertools.product(("A", "B", "AB"), ("f", "m"), ("0", "1"), ("S", "L")))
    ids = list(itertools.product((0, 1, 2**32 - 1), repeat=2))
    streams: list[tuple[str, tuple[str, ...]]] = []
    for purpose in ("destination", "attempt", "reattempt", "tie"):
        streams += [(purpose, stratum) for stratum in strata]
    for purpose in ("at_risk", "event"):
        streams += [(purpose, cell) for cell in sorted({stratum[:3] for stratum in strata})]
    for purpose in ("leg", "branch"):
        streams += [(purpose, (*stratum, part)) for stratum in strata for part in ("a", "b")]
    streams += [("parameter", (name,)) for name in ("x", "x[A]", "x[A,f]", "y")]
    streams += [("shared", names) for names in (("v", "A"), ("v", "B"), ("w", "A"), ("w", "A", "f"))]
    assert len({stream_key(seed, *stream) for stream in streams}) == len(streams)

    words: set[tuple[int, tuple[int, int, int, int], int]] = set()
    made = 0

    def take(purpose: str, names: tuple[str, ...], counter: tuple[int, int, int, int], used: range) -> None:
        nonlocal made
        made += len(used)
        words.update((stream_key(seed, purpose, names), counter, word) for word in used)

    for (replicate_id, theta_id), (purpose, names) in itertools.product(ids, streams):
        here = (replicate_id, theta_id)
        match purpose:
            case "parameter":
                if replicate_id == 0:
                    take(purpose, names, (0, 0, 0, theta_id), range(2))
            case "shared":
                take(purpose, names, (0, 0, *here), range(2))
            case "at_risk" | "destination":
                for draw, iteration in itertools.product(range(4), range(3)):
                    take(purpose, names, (draw, iteration, *here), range(4))
            case "event":
                for risk_class, x, iteration in itertools.product(range(1, 4), range(3), range(2)):
                    take(purpose, names, (256 * risk_class + x, iteration, *here), range(4))
            case "attempt":
                for agent in range(12):
                    take(purpose, names, (agent // 4, 0, *here), range(agent % 4, agent % 4 + 1))
            case "reattempt" | "tie":
                first = 2 if purpose == "reattempt" else 1
                for agent, attempt in itertools.product(range(5), range(first, 12)):
                    block, word = divmod(attempt - first, 4)
                    take(purpose, names, (agent, block, *here), range(word, word + 1))
            case "leg" | "branch":
                for agent, attempt in itertools.product(range(3), range(1, 4)):
                    take(purpose, names, (agent, attempt - 1, *here), range(4))
    assert len(words) == made
    assert made > 20_000


@pytest.mark.parametrize("walker", ["collapsed", "leg-by-leg"])
def test_no_address_serves_two_purposes_in_a_simulation(
    walker: str, maze: Scenario, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the twin really asks for (it equals the engine, so the engine does too)."""
    asked: dict[tuple[int, tuple[int, ...]], tuple[object, ...]] = {}
    original = Chance.block

    def block(self: Chance, purpose: str, names: tuple[str, ...], first: int, second: int) -> tuple[int, ...]:
        address = self.key(purpose, *names), (first, second, self.replicate_id, self.theta_id)
        meaning = (purpose, names, first, second, self.replicate_id, self.theta_id)
        assert asked.setdefault(address, meaning) == meaning
        return original(self, purpose, names, first, second)

    monkeypatch.setattr(Chance, "block", block)
    simulate(maze, outer=2, inner=2, seed=seed, walker=walker)
    purposes = {str(meaning[0]) for meaning in asked.values()}
    walking = {"attempt", "reattempt"} if walker == "collapsed" else {"leg", "branch"}
    assert purposes == {"shared", "at_risk", "event", "destination"} | walking


def test_keys_depend_on_every_part_and_not_on_how_parts_are_joined(chooser: random.Random) -> None:
    assert derive_key(1, "leg", ("a", "b")) != derive_key(1, "leg", ("ab",))
    assert derive_key(1, "leg", ("a", "")) != derive_key(1, "leg", ("", "a"))
    assert derive_key(1, "leg", ("1",)) != derive_key(11, "leg", ())
    seeds = {chooser.getrandbits(64) for _ in range(1000)} | {0, 1, 2**32, 2**63, 2**64 - 1}
    assert len({derive_key(seed, "attempt", STRATUM) for seed in seeds}) == len(seeds)
    assert all(0 <= derive_key(seed, "attempt", STRATUM) < 2**64 for seed in seeds)


def test_two_streams_with_one_key_are_refused(tiny_model: CompiledModel) -> None:
    keys = derive_keys(1, [("A", "f", "1")], [("A", "f", "1", "S")], ["x"], ["y"])
    refuse_collisions(*keys)
    same = keys._replace(branch=keys.leg.copy())
    with pytest.raises(ScenarioError, match="same key: choose another seed"):
        refuse_collisions(*same)
    with pytest.raises(ScenarioError, match="same key"):
        refuse_collisions(*keys, keys.tie[:1])
