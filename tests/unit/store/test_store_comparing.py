"""Two results files are compared: everything that differs is found and counted exactly, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from simcore.errors import ResultsError
from simcore.store import CHUNK_ROWS, Layout, Results, chunks, open_results
from simcore.store.comparing import ENVIRONMENT, Difference, compare_results, environment_differences
from simcore.store.provenance import environment

from .store_samples import LAYOUTS, random_counts, random_theta, seal, write

LAYOUT = LAYOUTS["age summed out"]
REPLICATES = 2 * CHUNK_ROWS + 10
COUNTS = random_counts(LAYOUT, REPLICATES)
THETA = random_theta(LAYOUT, REPLICATES)
THETA[5, 0] = np.nan
NAMES = ("seed", "scenario_name", "nested", "requested_replicates")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("results") / "left.h5"
    write(target, LAYOUT, COUNTS, THETA).close()
    return target


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "right.h5"))


def compare(left: Path, right: Path, **options: Any) -> list[Difference]:
    seal(right)
    with open_results(left) as one, open_results(right) as other:
        return compare_results(one, other, **options)


def found(differences: list[Difference]) -> list[tuple[str, str]]:
    return [(difference.path, difference.kind) for difference in differences]


def numbers(difference: Difference) -> tuple[int, int, int | None, int | float | None]:
    return difference.values, difference.rows, difference.first_row, difference.largest


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the chunks that were inflated since."""
    sizes: list[int] = []
    decode = chunks.decode_chunk

    def counted(encoded: bytes, dtype: np.dtype[Any], size: int) -> Any:
        sizes.append(size)
        return decode(encoded, dtype, size)

    monkeypatch.setattr(chunks, "decode_chunk", counted)
    return sizes


# Equal ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_equal_results_are_equal_and_nothing_is_inflated(tmp_path: Path, inflated: list[int], name: str) -> None:
    layout = LAYOUTS[name]
    counts, theta = random_counts(layout, CHUNK_ROWS + 3), random_theta(layout, CHUNK_ROWS + 3)
    with (
        write(tmp_path / "x.h5", layout, counts, theta) as one,
        write(None, layout, counts, theta) as other,
    ):
        inflated.clear()
        assert compare_results(one, other, attributes=NAMES) == []
        assert compare_results(other, one, attributes=NAMES) == []
    assert inflated == []


def test_a_file_of_an_older_format_is_compared(copy: Path) -> None:
    older = Path(shutil.copy(Path(__file__).parent / "data" / "format_1_0.h5", copy.with_name("older.h5")))
    with h5py.File(older) as file:
        assert "theta_checksum" not in file["ledger"]
    assert compare(older, older, attributes=NAMES) == []
    assert len(compare(older, copy)) > 10


def rewrite(path: Path, change: Callable[[str, h5py.Dataset], dict[str, Any] | None]) -> None:
    """Replace datasets by copies made with other options of h5py; None keeps one as it is."""
    with h5py.File(path, "r+") as file:
        paths: list[str] = []
        file.visititems(lambda name, item: paths.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in paths:
            old = file[name]
            options = change(name, old) if old.shape and old.dtype.kind in "iuf" and not old.is_scale else None
            if options is None:
                continue
            new = file.create_dataset("copy", data=old[()], **options)
            for key, value in old.attrs.items():
                if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    new.attrs[key] = value
            for axis, dimension in enumerate(old.dims):
                new.dims[axis].attach_scale(dimension[0])
                dimension.detach_scale(dimension[0])
            del file[name]
            file.move("copy", name)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": True, "maxshape": "same"},
        {"chunks": "own", "maxshape": "same", "shuffle": True, "compression": "gzip", "compression_opts": 9},
        {"chunks": "own", "maxshape": "same", "compression": "lzf"},
        {},
    ],
    ids=["other chunks", "another level", "another filter", "no chunks"],
)
def test_files_rewritten_with_h5py_are_equal(original: Path, copy: Path, options: dict[str, Any]) -> None:
    def change(name: str, dataset: h5py.Dataset) -> dict[str, Any]:
        meant = {"same": dataset.maxshape, "own": dataset.chunks}
        return {key: meant.get(value, value) if isinstance(value, str) else value for key, value in options.items()}

    rewrite(copy, change)
    with h5py.File(copy) as file, h5py.File(original) as before:
        _, ours = before["victims"].id.read_direct_chunk((0, 0, 0, 0))
        assert file["victims"].chunks != before["victims"].chunks or (
            file["victims"].id.read_direct_chunk((0, 0, 0, 0))[1] != ours
        )
    assert compare(original, copy, attributes=NAMES) == []
    with h5py.File(copy, "r+") as file:
        file["victims"][CHUNK_ROWS, 0, 0, 0] += 1
    (difference,) = compare(original, copy, attributes=NAMES)
    assert (difference.path, *numbers(difference)) == ("victims", 1, 1, CHUNK_ROWS, 1)


@pytest.mark.skipif(shutil.which("h5repack") is None, reason="h5repack (hdf5-tools) is not installed")
@pytest.mark.parametrize(
    "options",
    [
        ("-f", "GZIP=9"),
        ("-f", "NONE"),
        ("-l", "CONTI"),
        ("-l", "victims:CHUNK=1000x3x2x2", "-l", "parameters/rho:CHUNK=77", "-f", "victims:GZIP=1"),
    ],
    ids=["level 9", "no filter", "no chunks", "other chunks"],
)
def test_files_rewritten_by_h5repack_are_equal(original: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    subprocess.run(["h5repack", *options, original, tmp_path / "right.h5"], check=True, capture_output=True)
    assert original.read_bytes() != (tmp_path / "right.h5").read_bytes()
    assert compare(original, tmp_path / "right.h5", attributes=NAMES) == []
    assert compare(tmp_path / "right.h5", original, attributes=NAMES) == []


# Values ---------------------------------------------------------------------------------------------------------------

LAST = REPLICATES - 1


@pytest.mark.parametrize(
    ("path", "cells", "expected"),
    [
        ("victims", {(3, 0, 0, 0): 1, (3, 2, 1, 1): 7, (4100, 1, 0, 1): -4, (LAST, 0, 1, 0): 2}, (4, 3, 3, 7)),
        ("reached", {(9, 0, 0, 0, 0): 1, (9, 0, 0, 0, 2): 1, (8, 2, 1, 1, 1): -30}, (3, 2, 8, 30)),
        ("persons", {(LAST, 2, 1): 10**15}, (1, 1, LAST, 10**15)),
        ("totals/reached", {(CHUNK_ROWS, 1): 5, (CHUNK_ROWS - 1, 0): 5}, (2, 2, CHUNK_ROWS - 1, 5)),
        ("theta_id", {(17,): 2}, (1, 1, 17, 2)),
        ("replicate_id", {(0,): 2**32 - 1}, (1, 1, 0, 2**32 - 1)),
        ("replicate", {(5000,): -1}, (1, 1, 5000, 1)),
        ("parameters/theta", {(1,): 3}, (1, 1, 1, 3)),
        ("ledger/agents", {(1,): -3, (2,): 4}, (2, 2, 1, 4)),
    ],
)
def test_values_that_differ_are_counted(
    original: Path,
    copy: Path,
    path: str,
    cells: dict[tuple[int, ...], int],
    expected: tuple[int, int, int, int],
) -> None:
    with h5py.File(copy, "r+") as file:
        for cell, change in cells.items():
            file[path][cell] = int(file[path][cell]) + change
    for pair in ((original, copy), (copy, original)):
        (difference,) = compare(*pair, attributes=NAMES)
        assert (difference.path, difference.kind) == (path, "values")
        assert numbers(difference) == expected
        assert f"first in {'block' if 'ledger' in path else 'parameter set' if 'para' in path else 'replicate'} " in (
            difference.message
        )


def test_message_of_values(original: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["victims"][5000, 0, 0, :] += 12345
        file["victims"][1, 0, 0, 0] += 1
        file["ledger/checksum"][1] = b"0" * 16
    victims, checksum = compare(original, copy)
    assert victims.message == (
        "victims: 3 values differ in 2 of 8,202 replicates, first in replicate 1, by at most 12345"
    )
    assert checksum.message == "ledger/checksum: 1 value differs in 1 of 3 blocks, first in block 1"
    assert numbers(checksum) == (1, 1, 1, None)


def test_differences_of_64_bits_are_exact(original: Path, copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(copy, tmp_path / "other.h5"))
    with h5py.File(copy, "r+") as one, h5py.File(other, "r+") as two:
        one["persons"][0, 0, 0], two["persons"][0, 0, 0] = 2**63 - 1, -(2**63)
        one["totals/persons"][0], two["totals/persons"][0] = 2**62 + 1, 2**62
    persons, total = compare(copy, other)
    assert numbers(persons) == (1, 1, 0, 2**64 - 1)
    assert numbers(total) == (1, 1, 0, 1)


def quiet(payload: int) -> float:
    """Return the NaN with these low bits."""
    return float(np.array([0x7FF8_0000_0000_0000 + payload], dtype="<u8").view("<f8")[0])


@pytest.mark.parametrize(
    ("one", "other", "largest"),
    [
        (0.0, -0.0, 0.0),
        (quiet(0), quiet(1), None),
        (1.0, quiet(0), None),
        (1.0, np.nextafter(1.0, 2.0), 2.0**-52),
        (np.inf, 1.0, np.inf),
        (np.inf, -np.inf, np.inf),
        (-1.7e308, 1.7e308, np.inf),
    ],
)
def test_parameters_are_compared_bit_by_bit(
    original: Path, copy: Path, tmp_path: Path, one: float, other: float, largest: float | None
) -> None:
    left = Path(shutil.copy(original, tmp_path / "left.h5"))
    for path, value in ((left, one), (copy, other)):
        with h5py.File(path, "r+") as file:
            file["parameters/rho"][LAST] = value
    (difference,) = compare(left, copy)
    assert (difference.path, *numbers(difference)) == ("parameters/rho", 1, 1, LAST, largest)
    with h5py.File(left, "r+") as file:
        file["parameters/rho"][LAST] = other
    assert compare(left, copy) == []  # NaN too, though the chunk was compressed anew


# Lengths --------------------------------------------------------------------------------------------------------------


def part(target: Path, rows: int) -> Path:
    write(target, LAYOUT, {name: values[:, :rows] for name, values in COUNTS.items()}, THETA[:rows]).close()
    return target


def test_a_longer_file_differs_in_its_length_only(original: Path, tmp_path: Path) -> None:
    differences = compare(original, part(tmp_path / "short.h5", CHUNK_ROWS))
    assert found(differences) == [("replicate", "shape"), ("parameters/theta", "shape"), ("ledger/rows", "shape")]
    assert [numbers(difference) for difference in differences] == [
        (0, REPLICATES - CHUNK_ROWS, CHUNK_ROWS, None),
        (0, REPLICATES - CHUNK_ROWS, CHUNK_ROWS, None),
        (0, 2, 1, None),
    ]
    assert differences[0].message == "replicate: 8,202 replicates and 4,096"


def test_common_rows_of_files_of_different_length_are_compared(original: Path, tmp_path: Path) -> None:
    short = part(tmp_path / "short.h5", CHUNK_ROWS + 5)
    with h5py.File(short, "r+") as file:
        file["victims"][CHUNK_ROWS + 4, 0, 0, 0] += 1
    differences = {difference.path: difference for difference in compare(short, original)}
    assert set(differences) == {
        *("replicate", "parameters/theta", "victims"),
        # The last block of the shorter file is another one.
        *("ledger/rows", "ledger/agents", "ledger/checksum", "ledger/theta_checksum"),
    }
    assert numbers(differences["victims"]) == (1, 1, CHUNK_ROWS + 4, 1)
    assert differences["ledger/rows"].kind == "values"
    assert numbers(differences["ledger/rows"])[:3] == (1, 1, 1)


def test_other_blocks_are_a_difference_of_the_ledger(original: Path, tmp_path: Path) -> None:
    write(tmp_path / "right.h5", LAYOUT, COUNTS, THETA, block_rows=2 * CHUNK_ROWS).close()
    differences = compare(original, tmp_path / "right.h5")
    assert {difference.path.partition("/")[0] for difference in differences} == {"ledger"}
    assert ("ledger/rows", "shape") in found(differences)


def test_checksums_of_parameters_are_compared_where_both_files_have_them(original: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["ledger/theta_checksum"][1] = b"0" * 16
    (difference,) = compare(original, copy)
    assert (difference.path, *numbers(difference)) == ("ledger/theta_checksum", 1, 1, 1, None)
    with h5py.File(copy, "r+") as file:
        del file["ledger/theta_checksum"]  # as in format 1.0
    assert compare(original, copy) == []


# What files say -------------------------------------------------------------------------------------------------------


def change_attribute(path: Path, item: str, name: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        file[item].attrs[name] = value
    seal(path)


@pytest.mark.parametrize(
    ("item", "name", "path"),
    [
        ("victims", "units", "victims@units"),
        ("reached", "description", "reached@description"),
        ("reached", "long_name", "reached@long_name"),
        ("victims", "summed_out", "victims@summed_out"),
        ("origin", "long_name", "origin@long_name"),
        ("parameters/rho", "source", "parameters/rho@source"),
        ("parameters/share[hub]", "unit", "parameters/share[hub]@unit"),
        ("/", "scenario_name", "@scenario_name"),
    ],
)
def test_changed_attributes_are_named(original: Path, copy: Path, item: str, name: str, path: str) -> None:
    change_attribute(copy, item, name, "another")
    (difference,) = compare(original, copy, attributes=NAMES)
    assert (difference.path, difference.kind, *numbers(difference)) == (path, "attribute", 0, 0, None, None)
    assert difference.message.startswith(f"{path}: ")
    assert difference.message.endswith(" and 'another'")


def test_only_root_attributes_that_are_named_are_compared(original: Path, copy: Path) -> None:
    change_attribute(copy, "/", "engine", "cohort")
    change_attribute(copy, "/", "finished", "2027-01-01T00:00:00Z")
    assert compare(original, copy, attributes=NAMES) == []
    (difference,) = compare(original, copy, attributes=("engine", "seed"))
    assert difference.message == "@engine: 'agent' and 'cohort'"


@pytest.mark.parametrize("value", ["7", "07", 8])
def test_type_and_value_of_an_attribute_count(original: Path, copy: Path, value: Any) -> None:
    change_attribute(copy, "/", "seed", value)
    assert found(compare(original, copy, attributes=NAMES)) == [("@seed", "attribute")]


def test_absent_attributes_have_their_default(original: Path, copy: Path) -> None:
    change_attribute(copy, "/", "design", "random")
    (difference,) = compare(original, copy, attributes=("design", "in neither"))
    assert difference.message == "@design: not there and 'random'"
    assert compare(original, copy, attributes=("design",), defaults={"design": "random"}) == []
    assert len(compare(original, copy, attributes=("design",), defaults={"design": "sobol"})) == 1


def test_labels(original: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["origin"][1:] = ["Ñandú", "ECU"]
    (difference,) = compare(original, copy)
    assert (difference.path, difference.kind, difference.values) == ("origin", "labels", 2)
    assert difference.message == "origin: 2 labels differ, the first at place 1: 'ECU' and 'Ñandú'"


def test_documents(original: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        document = file["scenario/data%2Fpopulation.csv"]
        document[()] = document.asstr()[()].replace("COL,1", "COL,3")
        added = file["scenario"].create_dataset("new.csv", data="text")
        added.attrs["name"] = "new.csv"
        del file["scenario/scenario"]
    differences = compare(original, copy)
    assert found(differences) == [
        ("scenario/scenario", "missing"),
        ("scenario/new.csv", "missing"),
        ("scenario/data/population.csv", "document"),
    ]
    assert [difference.message for difference in differences] == [
        "scenario/scenario: only the left file has this document",
        "scenario/new.csv: only the right file has this document",
        "scenario/data/population.csv: the texts differ from line 2, character 5 on",
    ]


# Layouts --------------------------------------------------------------------------------------------------------------


def against(original: Path, layout: Layout, **options: Any) -> list[Difference]:
    """Compare with results of another layout, whose counts are the same where their shape is."""
    counts = random_counts(layout, REPLICATES)
    for variable in layout.variables:
        if variable.name in COUNTS and counts[variable.name].shape == COUNTS[variable.name].shape:
            counts[variable.name] = COUNTS[variable.name].astype(variable.dtype)
    theta = random_theta(layout, REPLICATES)
    theta[:, : THETA.shape[1]] = THETA[:, : theta.shape[1]]
    with open_results(original) as one, write(None, layout, counts, theta, **options) as other:
        return compare_results(one, other)


def without_checksums(differences: list[Difference]) -> list[tuple[str, str]]:
    """Drop the ledger's checksum, which must differ with any count, in every block."""
    (checksum,) = [difference for difference in differences if difference.path == "ledger/checksum"]
    assert checksum.values == 3
    return [pair for pair in found(differences) if pair[0] != "ledger/checksum"]


def test_another_type_is_a_difference_even_with_the_same_values(original: Path) -> None:
    variables = tuple(replace(v, dtype="int64") if v.name == "victims" else v for v in LAYOUT.variables)
    differences = against(original, replace(LAYOUT, variables=variables))
    assert without_checksums(differences) == [("victims", "type")]
    assert differences[0].message == "victims: int32 and int64"


def test_a_missing_variable(original: Path) -> None:
    differences = against(original, replace(LAYOUT, variables=LAYOUT.variables[:-1]))
    assert without_checksums(differences) == [("reached", "missing")]


def test_a_missing_dimension_and_other_axes(original: Path) -> None:
    victims = replace(LAYOUT.variables[2], strata=("sex", "origin"))
    layout = replace(LAYOUT, dimensions=LAYOUT.dimensions[:-1], variables=(*LAYOUT.variables[:2], victims))
    differences = against(original, layout)
    assert without_checksums(differences)[:4] == [
        ("point", "missing"),
        ("reached", "missing"),
        ("victims", "shape"),
        ("totals/victims", "values"),
    ]
    assert "victims: axes [origin, sex, exploitation] and [sex, origin]" in [each.message for each in differences]


def test_more_labels(original: Path) -> None:
    origin = replace(LAYOUT.dimensions[0], labels=("COL", "ECU", "Ñandú", "PER"))
    differences = {
        each.path: each for each in against(original, replace(LAYOUT, dimensions=(origin, *LAYOUT.dimensions[1:])))
    }
    assert differences["origin"].message == "origin: 3 labels and 4"
    for name in ("persons", "at_risk", "victims", "reached"):
        assert differences[name].kind == "shape"
        assert differences[f"totals/{name}"].kind == "values"
    assert differences["victims"].message == "victims: [3, 2, 2] and [4, 2, 2] values per replicate"


def test_parameters_missing_and_not_stored(original: Path) -> None:
    assert found(against(original, replace(LAYOUT, parameters=LAYOUT.parameters[:2]))) == [
        ("parameters/share[hub]", "missing"),
        ("ledger/theta_checksum", "values"),
    ]
    (difference,) = against(original, LAYOUT, store_theta=False)
    assert (difference.path, difference.kind) == ("parameters", "missing")
    assert difference.message == "parameters: only the left file has the values of parameters"


# Environment, damage, memory ------------------------------------------------------------------------------------------


def test_environment(original: Path, copy: Path) -> None:
    assert set(ENVIRONMENT) == set(environment())
    for path, version in ((original, "2.4.6"), (copy, "2.5.0")):
        change_attribute(path, "/", "numpy", version)
    change_attribute(copy, "/", "cpu", "another")
    change_attribute(copy, "/", "started_utc", "2027-01-01T00:00:00Z")
    with open_results(original) as one, open_results(copy) as other:
        assert environment_differences(one, other) == {"numpy": ("2.4.6", "2.5.0"), "cpu": ("unknown", "another")}
        assert environment_differences(one, one) == {}


def test_what_cannot_be_read_is_an_error(original: Path, copy: Path) -> None:
    with h5py.File(copy) as file:
        info = file["victims"].id.get_chunk_info_by_coord((CHUNK_ROWS, 1, 1, 1))
    content = bytearray(copy.read_bytes())
    content[info.byte_offset + info.size // 2] ^= 0xFF
    copy.write_bytes(content)
    with pytest.raises(ResultsError, match=f"{copy}: 'victims' is damaged in rows 4096 to 8191"):
        compare(original, copy)


def test_a_foreign_ledger_is_an_error(original: Path, copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        del file["ledger/agents"]
        file["ledger/agents"] = np.zeros((3, 2))
    with pytest.raises(ResultsError, match=r"'ledger/agents' cannot be compared: int64 .* and float64"):
        compare(original, copy)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """Two files of 80 MB of counts that differ in every chunk; more memory than for two small ones: 6 MB at most."""
    many = 40 * CHUNK_ROWS
    counts = random_counts(LAYOUT, CHUNK_ROWS, largest=5)
    for name, change in (("left", 0), ("right", 1)):
        for size, rows in (("small", 2 * CHUNK_ROWS), ("large", many)):
            tiled = {
                key: np.tile(values + change, (1, rows // CHUNK_ROWS, *[1] * (values.ndim - 2)))
                for key, values in counts.items()
            }
            write(tmp_path / f"{size} {name}.h5", LAYOUT, tiled, random_theta(LAYOUT, rows, seed=change)).close()
    program = """
        import re, sys
        from pathlib import Path
        from simcore.store import open_results
        from simcore.store.comparing import compare_results

        def peak() -> int:
            return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

        for size in ("small", "large"):
            with open_results(f"{size} left.h5") as left, open_results(f"{size} right.h5") as right:
                differences = {each.path: each for each in compare_results(left, right)}
            print(peak(), differences["victims"].rows, differences["parameters/rho"].rows)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    small, large = ([int(word) for word in line.split()] for line in done.stdout.splitlines())
    assert small[1:] == [2 * CHUNK_ROWS] * 2
    assert large[1:] == [many] * 2
    assert large[0] - small[0] < 6_000  # kB


def test_results_in_memory_are_compared(original: Path) -> None:
    def twin(counts: dict[str, Any]) -> Results:
        return write(None, LAYOUT, counts, THETA)

    changed = {name: values.copy() for name, values in COUNTS.items()}
    changed["victims"][:, 4097] += 1
    with open_results(original) as file, twin(COUNTS) as same, twin(changed) as other:
        assert compare_results(file, same, attributes=NAMES) == []
        differences = compare_results(same, other, attributes=NAMES)
    assert found(differences) == [("victims", "values"), ("totals/victims", "values"), ("ledger/checksum", "values")]
    assert numbers(differences[0]) == (12, 1, 4097, 1)
    assert numbers(differences[1]) == (1, 1, 4097, 12)
    assert numbers(differences[2]) == (1, 1, 1, None)
