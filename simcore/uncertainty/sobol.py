"""Scrambled Sobol' points, computed by index.

A Sobol' point in dimension d is a sum over the binary digits of its index, modulo two and without carry (Sobol' 1967):
with the Gray code g of index i and the *direction numbers* v_dk of dimension d,

    x_d(i) = XOR over k with bit k of g(i) set of v_dk,        u_d(i) = 0.x_d(i) in base two.

So any point follows from its index alone. The direction numbers are those of Joe & Kuo (2008), read from the points of
`scipy.stats.qmc.Sobol`. A design of n = 2**m points takes the first n of them; each of its coordinates has exactly one
point in every interval [j / n, (j + 1) / n).

Scrambling is a random linear matrix scramble and a digital shift (Matousek 1998, "On the L2-discrepancy for anchored
boxes"): the digits of x_d are multiplied by a random lower triangular binary matrix with a unit diagonal and a random
vector of digits is added, both modulo two. The intervals keep their one point each, every point is uniform on the cube,
and independent scrambles give independent unbiased means. `DIGITS` digits are kept.

The scramble of a column is a function of the seed, the column's name and the number of the randomisation; what a column
owes to its place among the others is its dimension d alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simcore.compilation import kernel
from simcore.engines.random import philox4x32
from simcore.errors import UserError

DIGITS = 53
MOST_DIMENSIONS = 21201
"""Dimensions for which Joe & Kuo give direction numbers."""

_INDEX_BITS = 32  # of a point's index; its direction numbers have no more digits
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_ZERO_WORD = np.uint32(0)
_WORD = np.uint64(32)
_SPARE = np.uint64(64 - DIGITS)
_TOP_DIGIT = np.uint64(DIGITS - 1)
_SMALLEST = 2.0**-DIGITS


@functools.lru_cache(maxsize=8)
def direction_numbers(dimensions: int, bits: int) -> npt.NDArray[np.uint64]:
    """Return the direction numbers v_dk as the top digits of `DIGITS`-digit words: uint64 [dimensions, bits].

    They are read from unscrambled points: the index whose Gray code is 2**k gives v_dk itself.

    Parameters
    ----------
    dimensions : int
        At most `MOST_DIMENSIONS`.
    bits : int
        Binary digits of the largest index; reading takes 2**bits steps of scipy's generator.
    """
    from scipy.stats import qmc  # takes as long to import as half of all else in a short run

    sequence = qmc.Sobol(dimensions, scramble=False, bits=_INDEX_BITS)
    numbers = np.zeros((dimensions, bits), dtype=np.uint64)
    for k in range(bits):
        sequence.fast_forward(2 ** (k + 1) - 1 - sequence.num_generated)
        numbers[:, k] = np.ldexp(sequence.random(1)[0], DIGITS).astype(np.uint64)
    numbers.setflags(write=False)
    return numbers


@kernel
def scramble(
    directions: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
    matrices: npt.NDArray[np.uint64],
    shifts: npt.NDArray[np.uint64],
) -> None:
    """Fill scrambled direction numbers (uint64 [U, bits]) and shifts (uint64 [U]) of the columns with ``keys``.

    Column c of a column's scrambling matrix is the word at counter (c, 0, 0, 0): digits before c zero, digit c one,
    digits after it random. The shift is the word at counter (0, 1, 0, 0). Digit 0 is the first one after the point.
    """
    for column in range(keys.size):
        high, low, _, _ = philox4x32(_ZERO_WORD, np.uint32(1), _ZERO_WORD, _ZERO_WORD, keys[column])
        shifts[column] = ((np.uint64(high) << _WORD) | np.uint64(low)) >> _SPARE
        for k in range(matrices.shape[1]):
            matrices[column, k] = _ZERO
        for digit in range(matrices.shape[1]):
            place = _TOP_DIGIT - np.uint64(digit)
            high, low, _, _ = philox4x32(np.uint32(digit), _ZERO_WORD, _ZERO_WORD, _ZERO_WORD, keys[column])
            word = ((np.uint64(high) << _WORD) | np.uint64(low)) >> _SPARE
            word = (word & ((_ONE << place) - _ONE)) | (_ONE << place)
            for k in range(matrices.shape[1]):
                if (directions[column, k] >> place) & _ONE:
                    matrices[column, k] ^= word


@kernel
def fill_sobol(
    matrices: npt.NDArray[np.uint64],
    shifts: npt.NDArray[np.uint64],
    ids: npt.NDArray[np.uint32],
    uniforms: npt.NDArray[np.float64],
) -> None:
    """Fill ``uniforms`` (float64 [U, n]) with the coordinates of points ``ids`` (uint32 [n]); none is 0 or 1.

    From one index to the next a single digit of the Gray code changes, so a run of neighbours costs one XOR per point.
    """
    for column in range(shifts.size):
        digits = _ZERO
        for row in range(ids.size):
            index = np.uint64(ids[row])
            if row > 0 and index == np.uint64(ids[row - 1]) + _ONE:
                k = 0
                while (index & _ONE) == _ZERO:
                    index >>= _ONE
                    k += 1
                digits ^= matrices[column, k]
            else:
                digits = shifts[column]
                gray = index ^ (index >> _ONE)
                k = 0
                while gray != _ZERO:
                    if gray & _ONE:
                        digits ^= matrices[column, k]
                    gray >>= _ONE
                    k += 1
            uniforms[column, row] = max(float(digits) * _SMALLEST, _SMALLEST)


@dataclass(frozen=True)
class SobolPoints:
    """Columns of a scrambled Sobol' design.

    Attributes
    ----------
    keys : uint64 [U]
        Of the scrambles.
    matrices : uint64 [U, bits]
        Scrambled direction numbers.
    shifts : uint64 [U]
    """

    keys: npt.NDArray[np.uint64]
    matrices: npt.NDArray[np.uint64]
    shifts: npt.NDArray[np.uint64]

    def fill(self, theta_ids: npt.NDArray[np.uint32], uniforms: npt.NDArray[np.float64]) -> None:
        """Fill ``uniforms`` (float64 [U, n]) for points ``theta_ids`` (uint32 [n]), all of them below 2**bits."""
        fill_sobol(self.matrices, self.shifts, theta_ids, uniforms)


def sobol_points(keys: npt.NDArray[np.uint64], dimensions: Sequence[int], points: int) -> SobolPoints:
    """Return the columns of a scrambled Sobol' design.

    Parameters
    ----------
    keys : uint64 [U]
        Of the columns' scrambles.
    dimensions : sequence of int
        Dimension of each column, from 0.
    points : int
        A power of two.

    Raises
    ------
    UserError
        If there are too many dimensions.
    """
    needed = max(dimensions, default=-1) + 1
    if needed > MOST_DIMENSIONS:
        raise UserError(
            f"design = 'sobol': {needed} dimensions (parameters and shared effects), limit {MOST_DIMENSIONS}"
        )
    bits = (points - 1).bit_length()
    matrices, shifts = np.zeros((keys.size, bits), dtype=np.uint64), np.zeros(keys.size, dtype=np.uint64)
    if keys.size:
        directions = direction_numbers(needed, bits)[np.asarray(dimensions, dtype=np.int64)]
        scramble(directions, keys, matrices, shifts)
    return SobolPoints(keys, matrices, shifts)
