"""Random numbers as addresses: every draw is a pure function of what it is for.

Generator
    Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a block of four 32-bit words from
    a 128-bit counter and a 64-bit key.

Address map (fixed; it decides every bit of every result)
    key      BLAKE2b-64 of (seed, purpose, stratum), see `derive_key`
    counter  (c0, c1, c2, c3), 32 bits each::

        purpose      stratum                         c0                 c1              words used
        parameter    scalar name                     0                  0               0-1  uniform
        shared       effect name and element         0                  0               0-1  uniform
        at_risk      person cell                     risk class         iteration       0-3  binomial
        event        person cell                     risk class * 256   iteration       0-3  binomial
                                                     + exploitation
        destination  cell and exploitation           destination        iteration       0-3  binomial
        attempt      cell and exploitation           agent // 4         0               agent % 4
        reattempt    cell and exploitation           agent              (k - 2) // 4    (k - 2) % 4
        tie          cell and exploitation           agent              (k - 1) // 4    (k - 1) % 4
        leg          cell, exploitation, leg         agent              k - 1           0-1 outcome, 2-3 re-attempt
        branch       cell, exploitation, point       agent              k - 1           0-1 branch
        cohort       cell and exploitation           draw of a state    iteration       0-3 binomial
        sobol ...    scalar or effect, randomisation digit              0               0-1  scrambling matrix
                                                     0                  1               0-1  digital shift
        lhs ...      scalar or effect, randomisation lower part         round           0    permutation; c2 = 1, c3 = 0
                                                     0                  0               0-1  jitter

    ("...": ``parameter`` or ``shared``, see `simcore.uncertainty.points`)

    with c2 = replicate_id (shared_id for ``shared``, 0 for ``parameter``) and c3 = theta_id; k = 1, 2, ... is the
    attempt and ``iteration`` counts the rounds of a rejection sampler. A stratum is named by its levels, never by
    position, so an added origin, age band, attempt or replicate leaves every other draw as it was.

Words to uniforms: `uniform52` is strictly inside (0, 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simcore.compilation import bare_kernel

MAXIMUM_COUNTER = 0xFFFFFFFF
SEPARATOR = "\x1f"

# Round and key-schedule constants of Philox4x32; typed, because numba turns `uint64 op int` into int64.
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_SHIFT_32 = np.uint64(32)
_MASK_32 = np.uint64(0xFFFFFFFF)
_SHIFT_6 = np.uint32(6)
_TWO_26 = 67108864.0
_TWO_MINUS_52 = 1.0 / 4503599627370496.0


def derive_key(seed: int, purpose: str, stratum: Sequence[str]) -> int:
    """Return the 64-bit Philox key of a stream: BLAKE2b-64 of seed, purpose and the stratum's level names.

    Parameters
    ----------
    seed : int
        Seed of the run, 0 <= seed < 2**64.
    purpose : str
        One of the purposes of the address map.
    stratum : sequence of str
        Names that identify the stratum within the purpose.
    """
    text = SEPARATOR.join([str(seed), purpose, *stratum])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@bare_kernel
def philox4x32(
    c0: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, key: np.uint64
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Return the block of four words (uint32) at counter (c0, c1, c2, c3) under ``key`` (low word is key word 0)."""
    # All in uint64 lanes holding 32-bit values: what numba keeps unsigned and LLVM vectorises to 32 x 32 -> 64
    # products.
    x0, x1, x2, x3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0 = key & _MASK_32
    k1 = key >> _SHIFT_32
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * x0
        product_1 = _MULTIPLIER_1 * x2
        x0 = (product_1 >> _SHIFT_32) ^ x1 ^ k0
        x1 = product_1 & _MASK_32
        x2 = (product_0 >> _SHIFT_32) ^ x3 ^ k1
        x3 = product_0 & _MASK_32
        k0 = (k0 + _WEYL_0) & _MASK_32
        k1 = (k1 + _WEYL_1) & _MASK_32
    return np.uint32(x0), np.uint32(x1), np.uint32(x2), np.uint32(x3)


@bare_kernel
def whole_vectors(number: int) -> int:
    """Return how many blocks to make where ``number`` are needed: a few too many, so that none is made by itself."""
    return (number + 7) & ~7


@bare_kernel
def fill_blocks(
    words: npt.NDArray[np.uint32],
    first_block: int,
    blocks: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    key: np.uint64,
) -> None:
    """Write blocks (first_block, 0), (first_block + 1, 0), ... of a stream into ``words`` (uint32 [4, >= blocks]).

    Word ``w`` of block ``b`` goes to ``words[w, b - first_block]``; of the ``attempt`` stream, that is agent
    ``4 b + w``. The rounds are written out here, not called, because only so does LLVM vectorise over blocks (measured:
    0.6 against 2.3 ns per word).
    """
    row_0, row_1, row_2, row_3 = words[0], words[1], words[2], words[3]
    first_key_0 = key & _MASK_32
    first_key_1 = key >> _SHIFT_32
    for block in range(blocks):
        x0 = np.uint64(first_block) + np.uint64(block)
        x1 = np.uint64(0)
        x2 = np.uint64(replicate_id)
        x3 = np.uint64(theta_id)
        k0 = first_key_0
        k1 = first_key_1
        for _ in range(10):
            product_0 = _MULTIPLIER_0 * (x0 & _MASK_32)
            product_1 = _MULTIPLIER_1 * (x2 & _MASK_32)
            x0 = (product_1 >> _SHIFT_32) ^ x1 ^ k0
            x1 = product_1 & _MASK_32
            x2 = (product_0 >> _SHIFT_32) ^ x3 ^ k1
            x3 = product_0 & _MASK_32
            k0 = (k0 + _WEYL_0) & _MASK_32
            k1 = (k1 + _WEYL_1) & _MASK_32
        row_0[block] = np.uint32(x0)
        row_1[block] = np.uint32(x1)
        row_2[block] = np.uint32(x2)
        row_3[block] = np.uint32(x3)


@bare_kernel
def fill_addressed_blocks(
    words: npt.NDArray[np.uint32],
    counters: npt.NDArray[np.uint32],
    keys: npt.NDArray[np.uint64],
    replicate_id: np.uint32,
    theta_id: np.uint32,
) -> None:
    """Write block (counters[i], 0) of the stream of ``keys[i]`` into ``words[:, i]`` (uint32 [4, >= n]).

    Written out as in `fill_blocks`, for the same reason.
    """
    row_0, row_1, row_2, row_3 = words[0], words[1], words[2], words[3]
    for i in range(counters.size):
        x0 = np.uint64(counters[i])
        x1 = np.uint64(0)
        x2 = np.uint64(replicate_id)
        x3 = np.uint64(theta_id)
        k0 = keys[i] & _MASK_32
        k1 = keys[i] >> _SHIFT_32
        for _ in range(10):
            product_0 = _MULTIPLIER_0 * (x0 & _MASK_32)
            product_1 = _MULTIPLIER_1 * (x2 & _MASK_32)
            x0 = (product_1 >> _SHIFT_32) ^ x1 ^ k0
            x1 = product_1 & _MASK_32
            x2 = (product_0 >> _SHIFT_32) ^ x3 ^ k1
            x3 = product_0 & _MASK_32
            k0 = (k0 + _WEYL_0) & _MASK_32
            k1 = (k1 + _WEYL_1) & _MASK_32
        row_0[i] = np.uint32(x0)
        row_1[i] = np.uint32(x1)
        row_2[i] = np.uint32(x2)
        row_3[i] = np.uint32(x3)


@bare_kernel
def fill_reattempt_words(
    words: npt.NDArray[np.uint32],
    agents: npt.NDArray[np.uint32],
    number: int,
    block: int,
    replicate_id: np.uint32,
    theta_id: np.uint32,
    key: np.uint64,
) -> None:
    """Write block ``block`` of the ``reattempt`` words of agents ``agents[:number]`` (uint32) into ``words``.

    Word ``w`` of agent ``agents[i]`` goes to ``words[w, i]`` (uint32 [4, >= number]). Written out as in
    `fill_blocks`, for the same reason.
    """
    row_0, row_1, row_2, row_3 = words[0], words[1], words[2], words[3]
    first_key_0 = key & _MASK_32
    first_key_1 = key >> _SHIFT_32
    for i in range(number):
        x0 = np.uint64(agents[i])
        x1 = np.uint64(block)
        x2 = np.uint64(replicate_id)
        x3 = np.uint64(theta_id)
        k0 = first_key_0
        k1 = first_key_1
        for _ in range(10):
            product_0 = _MULTIPLIER_0 * (x0 & _MASK_32)
            product_1 = _MULTIPLIER_1 * (x2 & _MASK_32)
            x0 = (product_1 >> _SHIFT_32) ^ x1 ^ k0
            x1 = product_1 & _MASK_32
            x2 = (product_0 >> _SHIFT_32) ^ x3 ^ k1
            x3 = product_0 & _MASK_32
            k0 = (k0 + _WEYL_0) & _MASK_32
            k1 = (k1 + _WEYL_1) & _MASK_32
        row_0[i] = np.uint32(x0)
        row_1[i] = np.uint32(x1)
        row_2[i] = np.uint32(x2)
        row_3[i] = np.uint32(x3)


@bare_kernel
def uniform52(word_high: np.uint32, word_low: np.uint32) -> float:
    """Return the uniform on the open unit interval, a multiple of 2**-53, made of the top 26 bits of two words."""
    return (float(word_high >> _SHIFT_6) * _TWO_26 + float(word_low >> _SHIFT_6) + 0.5) * _TWO_MINUS_52


@bare_kernel
def addressed_uniform(c0: np.uint32, c1: np.uint32, c2: np.uint32, c3: np.uint32, key: np.uint64) -> float:
    """Return the uniform of words 0 and 1 of one block."""
    w0, w1, _, _ = philox4x32(c0, c1, c2, c3, key)
    return uniform52(w0, w1)


@bare_kernel
def fill_addressed_uniforms(
    keys: npt.NDArray[np.uint64], theta_ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]
) -> None:
    """Fill ``uniforms`` (float64 [U, n]) with the addressed uniforms of ``theta_ids`` (uint32 [n]).

    They are those of words 0 and 1 of the blocks at counter (0, 0, 0, theta_id). Written out as in `fill_blocks`, for
    the same reason.
    """
    for column in range(keys.size):
        line = uniforms[column]
        first_key_0 = keys[column] & _MASK_32
        first_key_1 = keys[column] >> _SHIFT_32
        for row in range(theta_ids.size):
            x0 = np.uint64(0)
            x1 = np.uint64(0)
            x2 = np.uint64(0)
            x3 = np.uint64(theta_ids[row])
            k0 = first_key_0
            k1 = first_key_1
            for _ in range(10):
                product_0 = _MULTIPLIER_0 * (x0 & _MASK_32)
                product_1 = _MULTIPLIER_1 * (x2 & _MASK_32)
                x0 = (product_1 >> _SHIFT_32) ^ x1 ^ k0
                x1 = product_1 & _MASK_32
                x2 = (product_0 >> _SHIFT_32) ^ x3 ^ k1
                x3 = product_0 & _MASK_32
                k0 = (k0 + _WEYL_0) & _MASK_32
                k1 = (k1 + _WEYL_1) & _MASK_32
            line[row] = uniform52(np.uint32(x0), np.uint32(x1))
