"""Made-up tables of 64-bit thresholds, nastier than any scenario's."""

from __future__ import annotations

import random

import numpy as np

from tests.twin.transit import ALL_ONES


def random_thresholds(chooser: random.Random, size: int) -> list[int]:
    """Thresholds with zero widths, ties of the high word, and cell borders of any guide."""
    style = chooser.randrange(4)
    chosen = {
        0: lambda: chooser.getrandbits(64),
        1: lambda: chooser.getrandbits(12) << 52,  # exactly at the border of a guide's cell
        2: lambda: (0x80000000 + chooser.randrange(3)) << 32 | chooser.getrandbits(32),  # many in one high word
        3: lambda: chooser.choice([0, 1, 2**32 - 1, 2**32, 2**52 - 1, 2**52, 2**63, ALL_ONES - 1, ALL_ONES]),
    }[style]
    values = sorted(chosen() for _ in range(size))
    for i in range(1, size):
        if chooser.random() < 0.3:
            values[i] = values[i - 1]
    values[-1] = max(values[-1], chooser.choice([values[-1], ALL_ONES]))
    return sorted(values)


def split_words(thresholds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    high = np.array([value >> 32 for value in thresholds], dtype=np.uint32)
    return high, np.array([value & 0xFFFFFFFF for value in thresholds], dtype=np.uint32)
