"""A flipped byte is found; reading takes no more memory than its answer and a chunk."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Results, open_results
from simcore.store.compression import decode_chunk, encode_chunk

from .store_samples import LAYOUTS, random_counts, random_theta, write

LAYOUT = LAYOUTS["age summed out"]
REPLICATES = 2 * CHUNK_ROWS + 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "x.h5", LAYOUT, random_counts(LAYOUT, REPLICATES), random_theta(LAYOUT, REPLICATES)).close()
    return tmp_path / "x.h5"


def flip(path: Path, position: int, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def damage_chunk(path: Path, dataset: str, chunk: int) -> int:
    """Invert three bytes of a chunk and return its first row.

    One bit of a deflate stream may be without effect (the length of a code that is never used).
    """
    with h5py.File(path) as file:
        info = file[dataset].id.get_chunk_info(chunk)
    content = bytearray(path.read_bytes())
    for quarter in (1, 2, 3):
        content[info.byte_offset + quarter * info.size // 4] ^= 0xFF
    path.write_bytes(content)
    return int(info.chunk_offset[0])


COUNTS = ["persons", "at_risk", "victims", "reached", "totals/reached", "theta_id", "shared_id", "replicate"]


@pytest.mark.parametrize("dataset", COUNTS)
def test_damaged_chunk_names_its_block(path: Path, dataset: str) -> None:
    with h5py.File(path) as file:
        chunks = file[dataset].id.get_num_chunks()
    first_row = damage_chunk(path, dataset, chunks - 2)
    with open_results(path) as results:
        (damage,) = results.verify_checksums()
    assert (damage.part, damage.first_row, damage.rows) == ("block", first_row, min(CHUNK_ROWS, REPLICATES - first_row))
    assert damage.message.startswith(f"{path}: ")


def test_damaged_chunk_is_an_error_when_it_is_read(path: Path) -> None:
    damage_chunk(path, "totals/victims", 1)
    with open_results(path) as results:
        results.read("victims", rows=slice(0, CHUNK_ROWS))
        with pytest.raises(ResultsError, match="'totals/victims' is damaged in rows 4096 to 8191"):
            results.read("victims")


def test_damaged_parameter_is_found(path: Path) -> None:
    damage_chunk(path, "parameters/rho", 0)
    with open_results(path) as results:
        (damage,) = results.verify_checksums()
        assert damage.part == "parameters"
        assert "parameters/rho" in damage.message
        with pytest.raises(ResultsError, match="parameters/rho"):
            results.theta(["rho"])


def test_wrong_but_readable_content_is_found(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["victims"][5000, 1, 1, 1] += 1
        file["totals/victims"][5000] += 1
    with open_results(path) as results:
        (damage,) = results.verify_checksums()
    assert (damage.first_row, damage.rows) == (CHUNK_ROWS, CHUNK_ROWS)


def test_chunk_that_was_never_written_is_found(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        dataset = file["victims"]
        dataset.resize(CHUNK_ROWS, axis=0)
        dataset.resize(REPLICATES, axis=0)
    with open_results(path) as results:
        assert [damage.first_row for damage in results.verify_checksums()] == [CHUNK_ROWS, 2 * CHUNK_ROWS]
        with pytest.raises(ResultsError, match="'victims' is damaged"):
            results.read("victims", by=("sex",))


@pytest.mark.parametrize(
    ("item", "attribute"),
    [("/", "scenario_name"), ("victims", "units"), ("parameters/rho", "source"), ("scenario/scenario", "name")],
)
def test_changed_attribute_is_found(path: Path, item: str, attribute: str) -> None:
    with h5py.File(path, "r+") as file:
        file[item].attrs[attribute] = "another"
    with pytest.raises(ResultsError, match=f"{path}: labels, attributes or documents differ from what was written"):
        open_results(path)


@pytest.mark.parametrize("item", ["origin", "scenario/data%2Fpopulation.csv"])
def test_flipped_bit_in_a_label_or_document_is_found(path: Path, item: str) -> None:
    content = path.read_bytes()
    flip(path, content.index(b"ECU" if item == "origin" else b"persons\nCOL"), bit=0)
    with pytest.raises(ResultsError, match=f"{path}: labels, attributes or documents differ from what was written"):
        open_results(path)


def everything(results: Results) -> list[object]:
    answer: list[object] = [results.layout, results.attributes, results.documents(), results.ledger().to_dict()]
    answer += [results.theta().to_numpy().tobytes(), results.theta_ids().tobytes(), results.shared_ids().tobytes()]
    for variable in LAYOUT.variables:
        answer += [results.read(variable.name).tobytes(), results.read(variable.name, by=variable.strata).tobytes()]
    return answer


def test_a_flipped_bit_anywhere_is_found_or_without_effect(path: Path) -> None:
    with open_results(path) as results:
        expected = everything(results)
    whole = path.read_bytes()
    generator = np.random.default_rng(20050101)
    outcomes = {"refused": 0, "found": 0, "without effect": 0}
    for position, bit in zip(generator.integers(0, len(whole), 60), generator.integers(0, 8, 60), strict=True):
        content = bytearray(whole)
        content[position] ^= 1 << bit
        path.write_bytes(content)
        try:
            with open_results(path) as results:
                if results.verify_checksums():
                    outcomes["found"] += 1
                    continue
                assert everything(results) == expected, f"bit {bit} of byte {position} changed the answer in silence"
                outcomes["without effect"] += 1
        except ResultsError:
            outcomes["refused"] += 1
    assert outcomes["found"] + outcomes["refused"] >= 30, outcomes  # most of the file is data


def index_entry(path: Path, dataset: str, chunk: int) -> int:
    """Position of the entry of a chunk in the index of HDF5: size, skipped filters, offsets, place in the file."""
    with h5py.File(path) as file:
        info = file[dataset].id.get_chunk_info(chunk)
    entry = struct.pack("<IIQQQ", info.size, info.filter_mask, *info.chunk_offset, 0, info.byte_offset)
    content = path.read_bytes()
    assert content.count(entry) == 1
    return content.index(entry)


def test_a_chunk_that_claims_the_place_of_another_is_found_when_it_is_read(path: Path) -> None:
    """The index has no checksum of its own, and HDF5 would return the second chunk for the first."""
    position = index_entry(path, "totals/victims", 1) + 8
    with open_results(path) as results:
        expected = results.read("victims", rows=slice(0, 5))
    flip(path, position + 1, bit=4)  # 4096 becomes 0
    with h5py.File(path) as file:
        assert not np.array_equal(file["totals/victims"][:5], expected)
    with open_results(path) as results, pytest.raises(ResultsError, match="twice or out of order"):
        results.read("victims", rows=slice(0, 5))


def test_no_bit_of_an_index_entry_changes_a_number(path: Path) -> None:
    position, whole = index_entry(path, "totals/victims", 1), path.read_bytes()
    with open_results(path) as results:
        expected = results.read("victims")
    refused = 0
    low_bytes = (0, 1, 8, 9, 24, 25)  # of size, row and place; their other bytes lead out of the file
    for byte, bit in itertools.product(low_bytes, range(8)):
        flip(path, position + byte, bit)
        try:
            with open_results(path) as results:
                np.testing.assert_array_equal(results.read("victims"), expected)
        except ResultsError:
            refused += 1
        path.write_bytes(whole)
    assert refused == 8 * len(low_bytes)


# Chunks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "noise"), [("<i4", 0), ("<i8", 0), ("<u4", 0), ("<f8", 0), ("<f8", 1)])
def test_chunks_are_what_the_filters_of_hdf5_make_and_read(tmp_path: Path, dtype: str, noise: int) -> None:
    values = np.random.default_rng(1).integers(0, 5000, size=(CHUNK_ROWS, 3)).astype(dtype)
    if noise:
        values += np.random.default_rng(2).random(values.shape)
    np.testing.assert_array_equal(decode_chunk(encode_chunk(values), values.dtype, values.size), values.reshape(-1))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        options = {"chunks": values.shape, "shuffle": True, "compression": "gzip"}
        ours = file.create_dataset("ours", shape=values.shape, dtype=dtype, **options)
        ours.id.write_direct_chunk((0, 0), encode_chunk(values))
        file.create_dataset("theirs", data=values, **options)
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["ours"][()], values)
        _, encoded = file["theirs"].id.read_direct_chunk((0, 0))
        np.testing.assert_array_equal(decode_chunk(encoded, values.dtype, values.size), values.reshape(-1))


@pytest.mark.parametrize("dtype", ["<i4", "<u4", "<i8", "<f8", "|u1"])
@pytest.mark.parametrize("largest", [0, 1, 255, 256, 65_535, 65_536, 2**31 - 1])
def test_bytes_are_shuffled_the_same_however_large_the_values(dtype: str, largest: int) -> None:
    """Small values take a faster way; the bytes are those of the plain one, and of no earlier chunk."""
    encode_chunk(np.full(99, -1, dtype="<i8"))
    values = np.array([0, largest // 3, largest, 1, 0, largest // 2 + 1, largest]).astype(dtype)
    plain = values.view(np.uint8).reshape(values.size, -1).T.tobytes()
    assert zlib.decompress(encode_chunk(values)) == plain


@pytest.mark.parametrize("size", [40, 64, 9362, 9363, CHUNK_ROWS])
def test_noise_is_stored_as_it_is_and_checked_like_everything(size: int) -> None:
    """Seven of eight bytes of drawn parameters, in stored blocks of at most 65,535 bytes: 9,362 values."""
    values = np.random.default_rng(1).lognormal(size=size)
    encoded = encode_chunk(values)
    assert zlib.decompress(encoded) == values.view(np.uint8).reshape(size, 8).T.tobytes()
    assert (values.view(np.uint8).reshape(size, 8).T[:7].tobytes()[:30] in encoded) == (size >= 64)
    assert len(encoded) < 8 * size
    for place in np.random.default_rng(2).integers(0, len(encoded), 200):
        damaged = bytearray(encoded)
        damaged[place] ^= 1 << int(place) % 8
        try:
            found = decode_chunk(bytes(damaged), values.dtype, size)
        except ValueError:
            continue
        np.testing.assert_array_equal(found, values)  # the two bytes before the stream, and bits nobody reads


@pytest.mark.parametrize("rows", [64, 100, 1000, CHUNK_ROWS - 64])
def test_the_padding_of_a_short_chunk_is_not_stored_as_noise(rows: int) -> None:
    values = np.zeros(CHUNK_ROWS)
    values[:rows] = np.random.default_rng(1).lognormal(size=rows)
    encoded = encode_chunk(values)
    assert len(encoded) < 8 * rows + 500
    np.testing.assert_array_equal(decode_chunk(encoded, values.dtype, CHUNK_ROWS), values)


def test_repeated_values_are_no_noise() -> None:
    for values in (np.full(CHUNK_ROWS, 0.1), np.arange(CHUNK_ROWS) % 3 / 7):
        assert len(encode_chunk(values)) < 8 * CHUNK_ROWS / 10


def test_chunks_of_the_wrong_size_are_refused_without_taking_memory() -> None:
    bomb = encode_chunk(np.zeros(50_000_000, dtype=np.uint8))
    tracemalloc.start()
    try:
        good = encode_chunk(np.zeros(100, np.int32))
        for encoded in (bomb, bomb[:50], b"", b"no zlib stream", encode_chunk(np.zeros(99, np.int32)), good + good):
            with pytest.raises(ValueError, match=r"."):
                decode_chunk(encoded, np.dtype("<i4"), 100)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_reading_by_strata_takes_its_answer_and_a_chunk(path: Path) -> None:
    with open_results(path) as results:
        results.read("reached", by=("sex",))
        tracemalloc.start()
        try:
            values = results.read("reached", by=("sex",))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    chunk = CHUNK_ROWS * 3 * 4
    assert peak < values.nbytes + 4 * chunk + 100_000  # all strata together are 24 chunks a block


def test_files_rewritten_by_another_program_are_read(path: Path) -> None:
    with open_results(path) as results:
        expected = results.read("victims", by=("origin", "sex"))
    with h5py.File(path, "r+") as file:
        old = file["victims"]
        new = file.create_dataset("copy", data=old[()], chunks=(100, 3, 2, 2), maxshape=old.maxshape)
        for name in ("units", "long_name", "description", "coordinates", "strata", "summed_out"):
            new.attrs[name] = old.attrs[name]
        for axis, name in enumerate(("replicate", "origin", "sex", "exploitation")):
            new.dims[axis].attach_scale(file[name])
        del file["victims"]
        file.move("copy", "victims")
    with open_results(path) as results:
        np.testing.assert_array_equal(results.read("victims", by=("origin", "sex")), expected)
        assert results.verify_checksums() == []
