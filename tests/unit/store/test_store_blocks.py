"""Blocks on their way to the file: what is refused, and that totals and checksums are those of what was given."""

from __future__ import annotations

import numpy as np
import pytest

from simcore.store import CHUNK_ROWS, EncodedBlock, Layout, Variable, encode_block
from simcore.store.blocks import decode_totals
from simcore.store.checksums import block_checksum

from .store_samples import LAYOUTS, ORIGIN, POINT, random_counts

LAYOUT = LAYOUTS["age summed out"]


def _block(
    counts: dict[str, np.ndarray], first_row: int = 0, layout: Layout = LAYOUT, rows: int | None = None
) -> EncodedBlock:
    number = np.arange(next(iter(counts.values())).shape[1] if rows is None else rows)
    return encode_block(layout, counts, first_row=first_row, theta_id=number, replicate_id=number, shared_id=number)


def test_blocks_must_fit_the_layout() -> None:
    counts = random_counts(LAYOUT, 4)
    with pytest.raises(ValueError, match="multiple of 4096"):
        _block(counts, first_row=1)
    with pytest.raises(ValueError, match="were given for variables"):
        _block({name: counts[name] for name in ("persons", "reached")})
    with pytest.raises(ValueError, match=r"'reached' have shape \(12, 4, 2\), expected \(12, 4, 3\)"):
        _block({**counts, "reached": counts["reached"][..., :2]})
    with pytest.raises(ValueError, match="'at_risk' have shape"):
        _block(counts, rows=5)
    with pytest.raises(TypeError, match="'reached' are float64"):
        _block({**counts, "reached": counts["reached"] * 1.0})
    with pytest.raises(ValueError, match="one length above 0"):
        _block({name: values[:, :0] for name, values in counts.items()})


@pytest.mark.parametrize("largest", [(2**31 - 1) // 3, (2**31 - 1) // 3 + 1, 2**31 - 1])
def test_totals_are_exact_on_both_sides_of_what_the_counts_type_holds(largest: int) -> None:
    layout = Layout((POINT,), (Variable("small", ("point",)),))
    counts = np.full((3, CHUNK_ROWS), largest)
    block = encode_block(
        layout,
        {"small": counts},
        first_row=0,
        **dict.fromkeys(("theta_id", "replicate_id", "shared_id"), np.arange(CHUNK_ROWS)),
    )
    assert (decode_totals(layout, block, "small") == 3 * largest).all()


def test_nothing_wraps() -> None:
    layout = Layout((POINT,), (Variable("small", ("point",)), Variable("large", ("point",), (), "int64")))
    zeros = np.zeros((3, 2), dtype=np.int64)

    def block(small: np.ndarray = zeros, large: np.ndarray = zeros) -> None:
        _block({"small": small, "large": large}, layout=layout)

    block(zeros + 2**31 - 1, zeros + 2**62 // 2)
    with pytest.raises(OverflowError, match=r"'small' holds 2147483648: counts must be within 0\.\.2147483647"):
        block(zeros + 2**31)
    with pytest.raises(OverflowError, match="'small' holds -1"):
        block(zeros - 1)
    with pytest.raises(OverflowError, match="'large' holds 18446744073709551615"):
        block(large=np.full((3, 2), 2**64 - 1, dtype=np.uint64))
    with pytest.raises(OverflowError, match="total of 'large' may pass int64: 3 strata"):
        block(large=zeros + 2**62)
    with pytest.raises(OverflowError, match="shared_id must be within"):
        encode_block(
            layout,
            {"small": zeros, "large": zeros},
            first_row=0,
            theta_id=[0, 1],
            replicate_id=[0, 0],
            shared_id=[0, 2**32],
        )


@pytest.mark.parametrize("rows", [5, 2 * CHUNK_ROWS + 5])
def test_totals_are_widened_where_they_must_be_and_nothing_is_lost(rows: int) -> None:
    """Strata of any size in any order: the sum passes what their type holds at the first, in the middle, or never."""
    layout = Layout((ORIGIN, POINT), (Variable("small", ("origin",), ("point",)),))
    generator = np.random.default_rng(rows)
    for limits in ((2**31 - 1, 3, 2**31 - 1), (3, 2**31 - 1, 5), (2**30, 2**30 - 1, 2**30), (9, 9, 9)):
        counts = np.stack([generator.integers(0, limit, (rows, 3), endpoint=True) for limit in limits])
        counts[:, 0] = np.array(limits)[:, None]  # the largest of each stratum, in one replicate
        totals = decode_totals(layout, _block({"small": counts}, layout=layout), "small")
        assert totals.tolist() == [
            [sum(column) for column in zip(*row, strict=True)] for row in counts.transpose(1, 0, 2).tolist()
        ]


@pytest.mark.parametrize("dtype", ["int8", "uint8", ">i4", "<u4", ">i8", "uint64"])
def test_counts_of_any_integer_type_and_order_in_memory_are_the_same_block(dtype: str) -> None:
    counts = {name: values % 128 for name, values in random_counts(LAYOUT, 100).items()}
    expected = _block(counts)
    given = {name: values.astype(dtype) for name, values in counts.items()}
    for other in (given, {name: np.asfortranarray(values) for name, values in given.items()}):
        assert _block(other) == expected


def test_the_checksum_is_the_one_that_is_described() -> None:
    rows = CHUNK_ROWS + 7
    counts = random_counts(LAYOUT, rows)
    number = np.arange(rows, dtype="<u4")
    names = sorted(counts)
    assert names != [variable.name for variable in LAYOUT.variables]  # sorted by name, not in the file's order
    totals = [counts[name].sum(axis=0, dtype="<i8") for name in names]
    expected = block_checksum(
        CHUNK_ROWS, rows, 0, 0, [number, number, number, *(counts[name] for name in names), *totals]
    )
    assert _block(counts, CHUNK_ROWS).checksum == expected


def test_chunks_come_in_the_order_of_the_file() -> None:
    paths = [path for path, _, _ in _block(random_counts(LAYOUT, 3)).chunks]
    names = [variable.name for variable in LAYOUT.variables]
    expected = ["replicate", "theta_id", "replicate_id", "shared_id", *names, *(f"totals/{name}" for name in names)]
    assert list(dict.fromkeys(paths)) == expected
    assert [paths.count(name) for name in names] == [LAYOUT.slots(variable) for variable in LAYOUT.variables]
