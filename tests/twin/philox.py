"""Philox4x32-10 in Python integers, addresses, uniforms and the normal quantile."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

LOW_32 = (1 << 32) - 1
Block = tuple[int, int, int, int]


def philox_block(counter: Block, key: int) -> Block:
    """Return the four words at ``counter`` under the 64-bit ``key``, whose low half is key word 0."""
    a, b, c, d = counter
    left, right = key & LOW_32, key >> 32
    for _ in range(10):
        upper, lower = 0xCD9E8D57 * c, 0xD2511F53 * a
        a, b, c, d = (upper >> 32) ^ b ^ left, upper & LOW_32, (lower >> 32) ^ d ^ right, lower & LOW_32
        left, right = (left + 0x9E3779B9) & LOW_32, (right + 0xBB67AE85) & LOW_32
    return a, b, c, d


def stream_key(seed: int, purpose: str, names: Iterable[str]) -> int:
    """Return the key of a stream: eight bytes of BLAKE2b over seed, purpose and names, unit separators between."""
    text = f"{seed}\x1f{purpose}" + "".join(f"\x1f{name}" for name in names)
    word = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return sum(byte << 8 * position for position, byte in enumerate(word))


def open_uniform(first: int, second: int) -> float:
    """Return (52-bit integer + 1/2) / 2**52 from the top 26 bits of two words; every step is exact but none rounds."""
    integer = ((first >> 6) << 26) | (second >> 6)
    return (2 * integer + 1) / (1 << 53)


def wide_word(first: int, second: int) -> int:
    """Return the 64-bit integer of two words, the first one leading."""
    return first << 32 | second


# AS 241 (Wichura 1988), coefficients of numerator and denominator, highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
    (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
     5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
)  # fmt: skip
_MIDDLE = (
    (0.000774545014278341407640, 0.0227238449892691845833, 0.241780725177450611770, 1.27045825245236838258,
     3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    (1.05075007164441684324e-9, 0.000547593808499534494600, 0.0151986665636164571966, 0.148103976427480074590,
     0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.00124266094738807843860, 0.0265321895265761230930,
     0.296560571828504891230, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 0.000786869131145613259100,
     0.0148753612908506148525, 0.136929880922735805310, 0.599832206555887937690, 1.0),
)  # fmt: skip


def _horner(coefficients: tuple[float, ...], x: float) -> float:
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def normal_score(u: float) -> float:
    """Return the standard normal quantile of ``u``."""
    q = u - 0.5
    if -0.425 <= q <= 0.425:
        r = 0.180625 - q * q
        return q * _horner(_CENTRE[0], r) / _horner(_CENTRE[1], r)
    r = math.sqrt(-math.log(1.0 - u if q >= 0.0 else u))
    part, r = (_MIDDLE, r - 1.6) if r <= 5.0 else (_FAR, r - 5.0)
    value = _horner(part[0], r) / _horner(part[1], r)
    return value if q >= 0.0 else -value


class Chance:
    """All draws of one replicate of one run: addresses in, words and uniforms out."""

    def __init__(self, seed: int, replicate_id: int, theta_id: int) -> None:
        self.seed = seed
        self.replicate_id = replicate_id
        self.theta_id = theta_id
        self.used: dict[tuple[int, Block], str] = {}
        self._keys: dict[tuple[str, ...], int] = {}
        self._blocks: dict[tuple[int, Block], Block] = {}

    def key(self, purpose: str, *names: str) -> int:
        """Return the key of a stream of this run."""
        if (purpose, *names) not in self._keys:
            self._keys[purpose, *names] = stream_key(self.seed, purpose, names)
        return self._keys[purpose, *names]

    def block(self, purpose: str, names: tuple[str, ...], first: int, second: int) -> Block:
        """Return the block at counter (first, second, replicate_id, theta_id)."""
        address = self.key(purpose, *names), (first, second, self.replicate_id, self.theta_id)
        if address not in self._blocks:
            self._blocks[address] = philox_block(address[1], address[0])
            self.used[address] = purpose
        return self._blocks[address]
