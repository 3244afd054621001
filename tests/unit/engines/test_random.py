"""Philox against published vectors, the map from words to uniforms, and the fixed map of addresses."""

from __future__ import annotations

import random

import numba
import numpy as np
import pytest

from simcore.engines.random import (
    MAXIMUM_COUNTER,
    addressed_uniform,
    derive_key,
    fill_blocks,
    philox4x32,
    uniform52,
)
from tests.twin.philox import open_uniform, philox_block

ONES = MAXIMUM_COUNTER
SMALLEST = 2.0**-53

# Random123, kat_vectors, philox4x32 with 10 rounds: counter, key words, block; word 0 first
KNOWN_ANSWERS = {
    "zeros": (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    "ones": (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    "pi": (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
}


def words_of(text: str) -> tuple[int, ...]:
    return tuple(int(word, 16) for word in text.split())


def compiled_block(counter: tuple[int, ...], key: int) -> tuple[np.uint32, ...]:
    return philox4x32(*(np.uint32(word) for word in counter), np.uint64(key))


@pytest.mark.parametrize("case", KNOWN_ANSWERS)
def test_philox_known_answers(case: str) -> None:
    counter, key, block = (words_of(text) for text in KNOWN_ANSWERS[case])
    key_word = key[0] | key[1] << 32
    assert tuple(int(word) for word in compiled_block(counter, key_word)) == block
    assert philox_block(counter, key_word) == block  # the twin's oracle stands on the same vectors


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="types of compiled code")
def test_philox_words_are_unsigned_32_bit() -> None:
    """numba makes `uint64 op int` signed; the compiled signature says what the words really are."""
    compiled_block((0, 0, 0, 0), 0)
    (signature,) = philox4x32.nopython_signatures
    assert signature.return_type == numba.types.UniTuple(numba.uint32, 4)
    assert signature.args == (numba.uint32,) * 4 + (numba.uint64,)


def test_philox_equals_plain_python_at_random_and_extreme_counters(chooser: random.Random) -> None:
    extremes = [((ONES,) * 4, 2**64 - 1), ((0,) * 4, 0), ((0, 0, 0, ONES), 1 << 63), ((1, 0, 0, 0), 1 << 32)]
    extremes += [(tuple(ONES if i == j else 0 for i in range(4)), 0) for j in range(4)]
    drawn = [(tuple(chooser.getrandbits(32) for _ in range(4)), chooser.getrandbits(64)) for _ in range(500)]
    for counter, key in extremes + drawn:
        assert tuple(int(word) for word in compiled_block(counter, key)) == philox_block(counter, key), (counter, key)


def test_every_bit_of_counter_and_key_matters() -> None:
    base = philox_block((0, 0, 0, 0), 0)
    for word in range(4):
        for bit in range(32):
            counter = tuple(1 << bit if i == word else 0 for i in range(4))
            assert tuple(int(w) for w in compiled_block(counter, 0)) != base
    for bit in range(64):
        assert tuple(int(w) for w in compiled_block((0, 0, 0, 0), 1 << bit)) != base


@pytest.mark.parametrize(("first_block", "blocks"), [(0, 1), (0, 256), (3, 7), (MAXIMUM_COUNTER // 4 - 2, 3)])
def test_attempt_words_are_the_blocks_in_order(first_block: int, blocks: int, chooser: random.Random) -> None:
    replicate_id, theta_id, key = chooser.getrandbits(32), chooser.getrandbits(32), chooser.getrandbits(64)
    words = np.full((4, blocks + 1), 7, dtype=np.uint32)
    fill_blocks(words, first_block, blocks, np.uint32(replicate_id), np.uint32(theta_id), np.uint64(key))
    for block in range(blocks):
        counter = (first_block + block, 0, replicate_id, theta_id)
        assert tuple(words[:, block].tolist()) == philox_block(counter, key)
        assert tuple(words[:, block].tolist()) == tuple(int(word) for word in compiled_block(counter, key))
    assert (words[:, blocks] == 7).all(), "wrote past the blocks asked for"


def test_uniform_is_strictly_inside_the_unit_interval() -> None:
    lowest, highest = uniform52(np.uint32(0), np.uint32(0)), uniform52(np.uint32(ONES), np.uint32(ONES))
    assert lowest == SMALLEST
    assert highest == 1.0 - SMALLEST
    assert 0.0 < lowest < highest < 1.0


def test_uniform_uses_the_top_26_bits_of_both_words(chooser: random.Random) -> None:
    for _ in range(500):
        first, second = chooser.getrandbits(32), chooser.getrandbits(32)
        value = uniform52(np.uint32(first), np.uint32(second))
        assert value == open_uniform(first, second)
        assert value == uniform52(np.uint32(first & ~63), np.uint32(second | 63)), "one of the low six bits was used"
        assert value != uniform52(np.uint32(first), np.uint32(second ^ 64))
        assert value != uniform52(np.uint32(first ^ 64), np.uint32(second))


def test_addressed_uniform_is_made_of_the_first_two_words(chooser: random.Random) -> None:
    for _ in range(50):
        counter, key = tuple(chooser.getrandbits(32) for _ in range(4)), chooser.getrandbits(64)
        block = philox_block(counter, key)
        value = addressed_uniform(*(np.uint32(word) for word in counter), np.uint64(key))
        assert value == open_uniform(block[0], block[1])


def test_uniforms_are_uniform(seed: int) -> None:
    """Mean and variance by z-score (|z| < 5, false alarm 6e-7 each); n = 40,000 notices a mean off by 0.8 %."""
    key, n = np.uint64(derive_key(seed, "parameter", ("x",))), 40_000
    zero = np.uint32(0)
    values = np.array([addressed_uniform(zero, zero, zero, np.uint32(i), key) for i in range(n)])
    assert abs(values.mean() - 0.5) / (1.0 / 12.0 / n) ** 0.5 < 5.0
    squares = (values - 0.5) ** 2
    assert abs(squares.mean() - 1.0 / 12.0) / (1.0 / 180.0 / n) ** 0.5 < 5.0
