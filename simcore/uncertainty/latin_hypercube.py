"""Latin hypercube points, computed by index.

Of n points each coordinate has exactly one in every slice [j / n, (j + 1) / n) (McKay, Beckman & Conover 1979):

    u_d(i) = (pi_d(i) + jitter_d(i)) / n

with a random permutation pi_d of 0 ... n - 1 and an independent uniform jitter. The permutation is not stored: it is a
keyed bijection of the index, a Feistel network on the smallest power of two not below n whose round function is the
generator itself, walked along its cycle until it lands below n (Black & Rogaway 2002, "Ciphers with arbitrary finite
domains"). Since every slice is as wide as n says, a design of n points cannot be extended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.engines.random import addressed_uniform, philox4x32

ROUNDS = 8  # even, so that both parts are back in their places
FEW_BITS, MORE_ROUNDS = 6, 24  # parts of few bits mix slowly: with 8 rounds, pairs of 5 points are visibly uneven

_ONE = np.uint32(1)
_ZERO = np.uint32(0)
_SMALLEST, _LARGEST = 2.0**-53, 1.0 - 2.0**-53


@kernel
def permuted(index: int, points: int, key: np.uint64) -> int:
    """Return pi(index), a permutation of 0 ... points - 1 (2 <= points <= 2**32) that ``key`` (uint64) chooses.

    An index of b bits is cut into an upper part of b // 2 bits and a lower one of the rest. In every round the upper
    part is added without carry (XOR) to a random function of the lower one, and both change places. The function's word
    is that at counter (lower part, round, 1, 0).
    """
    bits = 2
    while (1 << bits) < points:
        bits += 1
    upper_bits = bits // 2
    lower_bits = bits - upper_bits
    rounds = MORE_ROUNDS if bits <= FEW_BITS else ROUNDS
    while True:
        upper, lower = index >> lower_bits, index & ((1 << lower_bits) - 1)
        upper_size, lower_size = upper_bits, lower_bits
        for turn in range(rounds):
            word, _, _, _ = philox4x32(np.uint32(lower), np.uint32(turn), _ONE, _ZERO, key)
            upper ^= np.int64(word) & ((1 << upper_size) - 1)  # type: ignore[assignment]  # both are int64 when compiled
            upper, lower = lower, upper
            upper_size, lower_size = lower_size, upper_size
        index = (upper << lower_bits) | lower
        if index < points:
            return index


@kernel
def fill_latin_hypercube(
    keys: npt.NDArray[np.uint64], points: int, ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]
) -> None:
    """Fill ``uniforms`` (float64 [U, n]) with the coordinates of points ``ids`` (uint32 [n]); none is 0 or 1.

    The jitter is the uniform at counter (0, 0, 0, index); where rounding would lift a value into the next slice it is
    held just below.
    """
    for column in range(keys.size):
        for row in range(ids.size):
            place = permuted(np.int64(ids[row]), points, keys[column])  # type: ignore[arg-type]
            u = (place + addressed_uniform(_ZERO, _ZERO, _ZERO, ids[row], keys[column])) / points
            below = np.nextafter((place + 1) / points, 0.0)
            uniforms[column, row] = min(max(min(u, below), _SMALLEST), _LARGEST)


@dataclass(frozen=True)
class LatinHypercubePoints:
    """Columns of a Latin hypercube of ``points`` points; ``keys`` (uint64 [U]) choose permutations and jitter."""

    keys: npt.NDArray[np.uint64]
    points: int

    def fill(self, theta_ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]) -> None:
        """Fill ``uniforms`` (float64 [U, n]) for points ``theta_ids`` (uint32 [n]), all of them below ``points``."""
        fill_latin_hypercube(self.keys, self.points, theta_ids, uniforms)
