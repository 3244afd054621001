"""Results files that are traps: one line, exit code 2 (1 where ``--verify`` finds damage), bounded time and memory.

Whoever makes such a file can also make its checksums fit, so every file here gets a new checksum of its description
after it was changed. Each is then given to every verb that opens results and to every way of reading it from Python,
in processes with 2 GiB of address space that are killed if they wait.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from simcore.store.description import DESCRIPTION_CHECKSUM, description_checksum
from tests.conftest import FIXTURES
from tests.faults.confined import Confinement, Ended

TINY = FIXTURES / "tiny.toml"
ROWS = 300
MOST_SECONDS = 15.0
MOST_MEMORY = 768 * 2**20
VERBS = (
    ("info", "--json"), ("info",), ("summary",), ("summary", "--json"), ("variance",), ("convergence",),
    ("reweight", "--set", "parameters.reattempt_first.distribution.value=0.6"),
)  # fmt: skip
READS = """
import simcore
calls = (
    lambda r: r.read("victims"), lambda r: r.read("victims", by=("origin",)), lambda r: r.theta(),
    lambda r: r.to_pandas(), lambda r: r.documents(), lambda r: r.ledger(), lambda r: r.theta_ids(),
    lambda r: r.replicate_ids(), lambda r: r.shared_ids(), lambda r: r.verify_checksums(),
)
with simcore.open_results("x.h5") as results:
    for call in calls:
        try:
            call(results)
        except simcore.ResultsError as error:
            assert str(error).startswith("x.h5: ")
            assert "\\n" not in str(error)
"""
Change = Callable[[h5py.File], object]


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with Confinement() as server:
        yield server


@pytest.fixture(scope="module")
def sound(confinement: Confinement, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results file in order; not to be written to."""
    folder = tmp_path_factory.mktemp("sound")
    ended = confinement.simcore("run", TINY, "-n", ROWS, "-s", 3, "-o", "x.h5", "-q", folder=folder)
    assert ended.code == 0, ended
    return folder / "x.h5"


def changed(sound: Path, folder: Path, change: Change) -> None:
    """Put a changed copy into ``folder``, with a checksum that fits where one can be computed."""
    shutil.copy(sound, folder / "x.h5")
    with h5py.File(folder / "x.h5", "r+") as file:
        change(file)
        try:
            file.attrs[DESCRIPTION_CHECKSUM] = description_checksum(file)
        except (ValueError, TypeError, KeyError, OSError, AttributeError):
            return


def harmless(ended: Ended) -> None:
    """Check what holds for every call, whatever the file."""
    assert ended.code in (0, 1, 2), ended
    text = ended.output + ended.errors
    for trace in (b"Traceback", b"unexpected error", b"Warning:"):
        assert trace not in text, ended
    assert all(c.isprintable() or c == "\n" for c in text.decode()), ended
    assert ended.seconds < MOST_SECONDS
    assert ended.memory < MOST_MEMORY
    if ended.code == 2:
        assert ended.line.startswith("error: "), ended
        assert len(ended.line) < 1_000
    if ended.code == 1:
        assert b"damaged" in ended.output, ended


def outcomes(
    confinement: Confinement, folder: Path, verbs: Sequence[tuple[str, ...]], *, with_reads: bool = True
) -> dict[str, int]:
    """Give the file to verbs and to every way of reading it from Python; return the exit codes."""
    codes = {}
    for verb in (("info", "--verify"), *verbs):
        ended = confinement.simcore(verb[0], "x.h5", *verb[1:], folder=folder)
        harmless(ended)
        codes[" ".join(verb[:2])] = ended.code
    if with_reads:
        ended = confinement.python(READS, folder=folder)
        harmless(ended)
        codes["reads"] = ended.code
    return codes


SLOW_TO_MAKE = ("10,500 parameters",)


# Files that are refused when they are opened -------------------------------------------------------------------------


def _resize(file: h5py.File, rows: int) -> None:
    """Let a file claim so many replicates, in every dataset and in the ledger."""
    for group in (file, file["totals"], file["parameters"]):
        for name in group:
            item = group[name]
            if isinstance(item, h5py.Dataset) and item.maxshape[:1] == (None,) and item.shape[0] == ROWS:
                item.resize(rows, axis=0)
    file["ledger/rows"][...] = rows
    file.attrs["nested"], file.attrs["requested_replicates"] = [rows, 1], rows


def _replace(file: h5py.File, path: str, **options: Any) -> h5py.Dataset:
    kept = {key: value for key, value in file[path].attrs.items() if key in ("units", "long_name", "strata", "name")}
    del file[path]
    dataset = file.create_dataset(path, **options)
    dataset.attrs.update(kept)
    return dataset


def _filtered(file: h5py.File, number: int) -> None:
    """Give the totals of victims a filter that no file of ours has."""
    shape = file["totals/victims"].shape
    del file["totals/victims"]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((100, *shape[1:]))
    properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(file["totals"].id, b"victims", h5py.h5t.NATIVE_INT64, space, properties)


def _link(path: str) -> Change:
    return lambda file: file.__setitem__(path, h5py.ExternalLink("pipe", "/x"))


def _many(group: str, number: int) -> Change:
    def change(file: h5py.File) -> None:
        for i in range(number):
            file[group][f"x{i}"] = file["theta_id"]

    return change


def _attribute(name: str, value: Any, **options: Any) -> Change:
    return lambda file: file.attrs.create(name, value, **options)


REFUSED: dict[str, tuple[Change, str]] = {
    "2**60 replicates": (lambda file: _resize(file, 2**60), "attribute 'nested' is [1152921504606846976"),
    "10**9 replicates": (lambda file: _resize(file, 10**9), "1 of 244141 chunks are stored"),
    "no replicates": (lambda file: _resize(file, 0), ""),
    "10**10 rows at once": (
        lambda file: _replace(file, "replicate", shape=(10**10,), dtype="<i8"), "replicate|shape"),
    "a ledger of 10**8": (lambda file: file["ledger/rows"].resize(10**8, axis=0), "has 1 blocks at most"),
    "another ledger of 10**8": (lambda file: file["ledger/agents"].resize(10**8, axis=0), "has 1 blocks at most"),
    "a label of 1 GiB": (
        lambda file: _replace(file, "point", shape=(4,), dtype="S1073741824").make_scale("point"),
        "texts of 1073741824 bytes, limit 1048576"),
    "a document of 2 GiB": (
        lambda file: _replace(file, "scenario/scenario.json", shape=(), dtype="S2147483647"),
        "texts of 2147483647 bytes"),
    "10**9 documents in one": (
        lambda file: _replace(file, "scenario/scenario.json", shape=(10**9,), dtype=h5py.string_dtype()),
        "shape|texts"),
    "an unknown filter": (lambda file: _filtered(file, 32015), "filter 32015; known: shuffle, deflate"),
    "szip": (lambda file: _filtered(file, 4), "filter 4; known"),
    "nbit": (lambda file: _filtered(file, 5), "filter 5; known"),
    "a chunk of 800 MB": (
        lambda file: _replace(file, "theta_id", shape=(ROWS,), chunks=(2 * 10**8,), maxshape=(None,), dtype="<u4"),
        "chunks of 800000000 bytes, limit 268435456"),
    "a link to a pipe": (_link("far"), "a link to elsewhere"),
    "a link in the totals": (_link("totals/far"), "a link to elsewhere"),
    "a link in the parameters": (_link("parameters/far"), "a link to elsewhere"),
    "a link in the ledger": (_link("ledger/far"), "a link to elsewhere"),
    "a link among documents": (_link("scenario/far"), "a link to elsewhere"),
    "a link to itself": (lambda file: file.__setitem__("me", h5py.SoftLink("/me")), "a link to elsewhere"),
    "1,100 datasets": (_many("/", 1_100), "members, limit 1000"),
    "1,100 documents": (_many("scenario", 1_100), "1101 members, limit 1000"),
    "10,500 parameters": (_many("parameters", 10_500), "members, limit 10000"),
    "1,500 attributes": (
        lambda file: [file.attrs.__setitem__(f"x{i}", 1) for i in range(1_500)], "attributes, limit 1000"),
    "300 texts in an attribute": (
        _attribute("x", np.array(["a"] * 300, dtype=h5py.string_dtype())), "attribute 'x' has 300 texts, limit 256"),
    "a text of 16 MiB": (_attribute("seed", "x" * 2**24), "a text of 16777216 characters, limit 1048576"),
    "a compound": (_attribute("x", np.zeros(2, dtype=[("a", "i4")])), "attribute 'x' is neither text nor numbers"),
    "a reference": (lambda file: file.attrs.create("x", file["theta_id"].ref, dtype=h5py.ref_dtype), "neither text"),
    "opaque": (_attribute("x", np.void(b"\x1b[31m")), "neither text nor numbers"),
    "nothing": (_attribute("x", h5py.Empty("f8")), "attribute 'x' is no value and no list"),
    "lists of lists": (
        _attribute("x", np.array([np.arange(3), np.arange(2)], dtype=object), dtype=h5py.vlen_dtype("i4")), "neither"),
    "no text": (_attribute("x", np.bytes_(b"\xff\x1b[31m")), "x.h5"),
    "loops of zero": (_attribute("nested", [0, 0]), "attribute 'nested' is [0 0]"),
    "negative loops": (_attribute("nested", [-1, 5]), "attribute 'nested' is [-1 5]"),
    "three loops": (_attribute("nested", [1, 2, 3]), "attribute 'nested' is [1 2 3]"),
    "loops of text": (_attribute("nested", "x\x1b[31m"), "attribute 'nested' is x\\x1b[31m"),
    "negative requests": (_attribute("requested_replicates", -5), "attribute 'requested_replicates' is -5"),
    "too few requested": (_attribute("requested_replicates", 5), "'requested_replicates' is 5, and there are 300"),
    "a status with escapes": (_attribute("status", "\x1b[31m\nx"), "status '\\x1b[31m x'"),
    "a seed of text": (_attribute("seed", "\x1b[31mx[red]"), "attribute 'seed' is"),
    "a title that is a number": (_attribute("scenario_title", 5), "attribute 'scenario_title' is 5, not a text"),
    "a list of titles": (
        _attribute("scenario_title", np.array(["a\x1b", "b"], dtype=h5py.string_dtype())), "'scenario_title'"),
    "a design that is a number": (_attribute("design", 3), "attribute 'design' is 3"),
    "an engine that is a number": (_attribute("engine", 5), "attribute 'engine' is 5"),
    "other loops": (_attribute("nested", [7, 7]), "attribute 'nested' is [7 7], and there are 300 replicates"),
    "counts as floats": (
        lambda file: _replace(file, "victims", data=file["victims"][()].astype(float)), "dataset 'victims'"),
    "counts as compounds": (
        lambda file: _replace(file, "victims", shape=file["victims"].shape, dtype=[("a", "<i4")]), "dataset 'victims'"),
    "one count": (lambda file: _replace(file, "victims", data=np.int32(5)), "victims"),
    "no counts": (lambda file: _replace(file, "victims", data=h5py.Empty("<i4")), "dataset 'victims'"),
    "identifiers as texts": (
        lambda file: _replace(file, "theta_id", data=["a"] * ROWS, dtype=h5py.string_dtype()), "theta_id"),
    "replicates as floats": (lambda file: _replace(file, "replicate", data=np.arange(float(ROWS))), "'replicate'"),
    "replicates as a number": (lambda file: _replace(file, "replicate", data=3), "x.h5"),
    "no scale": (lambda file: file["reached"].dims[1].detach_scale(file["reached"].dims[1][0]), "'reached'"),
    "a type among data": (lambda file: file.__setitem__("kind", np.dtype("f8")), "not a dataset"),
    "an opaque parameter": (
        lambda file: file["parameters"].create_dataset("x", shape=(ROWS,), dtype="V16"), "parameter 'x' has type"),
    "one label twice": (
        lambda file: file["point"].__setitem__(slice(None), ["A", "A", "B", "C"]), "of axis 'point' is given twice"),
    "labels that are no text": (lambda file: file["point"].__setitem__(0, b"\xff\xfe"), "dataset 'point'"),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long) if case in SLOW_TO_MAKE else case for case in REFUSED]
)
def test_refused_when_it_is_opened(case: str, confinement: Confinement, sound: Path, tmp_path: Path) -> None:
    change, words = REFUSED[case]
    os.mkfifo(tmp_path / "pipe")
    changed(sound, tmp_path, change)
    for verb in (("info", "--verify"), ("summary",)):
        ended = confinement.simcore(verb[0], "x.h5", *verb[1:], folder=tmp_path)
        harmless(ended)
        if "--verify" in verb and ended.code == 1:  # what was asked for is whether it is damaged
            line = ended.output.decode().splitlines()[0]
            assert line.startswith("damaged: x.h5: ")
        else:
            assert ended.code == 2, ended
            line = ended.line
        assert any(word in line for word in words.split("|")), line


def test_a_thousand_labels_that_are_one_place_in_the_file(
    confinement: Confinement, sound: Path, tmp_path: Path
) -> None:
    """Two megabytes in the file, six gigabytes for whoever reads all of them at once."""
    number, long = 3_000, "x" * 2 * 2**20
    changed(
        sound,
        tmp_path,
        lambda file: _replace(
            file, "point", data=[long, *map(str, range(1, number))], dtype=h5py.string_dtype()
        ).make_scale("point"),
    )
    with h5py.File(tmp_path / "x.h5") as file:
        place = file["point"].id.get_offset()
    content = bytearray((tmp_path / "x.h5").read_bytes())
    content[place : place + 16 * number] = content[place : place + 16] * number
    (tmp_path / "x.h5").write_bytes(content)
    ended = confinement.simcore("info", "x.h5", folder=tmp_path)
    harmless(ended)
    assert ended.code == 2
    assert "dataset 'point' is missing or damaged (texts of more than 67108864 characters)" in ended.line


# Files that open, and whose parts are refused, shown harmlessly or found damaged -------------------------------------


def _bomb(path: str) -> Change:
    """Put a chunk that inflates to 768 MiB where 32 KiB belong."""

    def change(file: h5py.File) -> None:
        bomb = zlib.compressobj(1)
        inflated = b"".join(bomb.compress(b"\0" * 2**24) for _ in range(48)) + bomb.flush()
        file[path].id.write_direct_chunk((0,) * file[path].ndim, inflated, 0)

    return change


def _bomb_in_other_chunks(file: h5py.File) -> None:
    shape = file["totals/victims"].shape
    scale = file["replicate"]
    dataset = _replace(
        file, "totals/victims", shape=shape, chunks=(100, *shape[1:]), dtype="<i8", shuffle=True, compression="gzip"
    )
    dataset.dims[0].attach_scale(scale)
    for start in range(0, shape[0], 100):
        dataset.id.write_direct_chunk((start, 0)[: len(shape)], zlib.compress(b"\0" * 2**27, 9), 0)


def _scenario(old: str, new: str) -> Change:
    def change(file: h5py.File) -> None:
        text = file["scenario/scenario.json"].asstr()[()]
        assert not old or old in text
        _replace(file, "scenario/scenario.json", data=text.replace(old, new) if old else new, dtype=h5py.string_dtype())

    return change


def _document(name: str) -> Change:
    def change(file: h5py.File) -> None:
        file["scenario"].create_dataset("more", data="a,b\n1,2\n", dtype=h5py.string_dtype()).attrs["name"] = name

    return change


def _fill(path: str, value: Any) -> Change:
    return lambda file: file[path].__setitem__(slice(None), value)


def _two_blocks(file: h5py.File) -> None:
    """Two blocks whose numbers of rows sum up to the right one, modulo 2**64."""
    for name in file["ledger"]:
        if name != "block" and not name.startswith("theta_"):
            file["ledger"][name].resize(1, axis=0)
    file["ledger/rows"][0] = ROWS
    file["ledger/first_row"][0] = 2**62


OPENED: dict[str, Change] = {
    "groups in a circle": lambda file: file.create_group("a").__setitem__("up", file["/"]),
    "a bomb in the totals": _bomb("totals/victims"),
    "a bomb in the identifiers": _bomb("theta_id"),
    "a bomb in other chunks": _bomb_in_other_chunks,
    "a scenario 10**5 deep": _scenario("", "[" * 100_000),
    "a scenario that is a list": _scenario("", "[]"),
    "a scenario of nothing": _scenario("", '{"strata": null}'),
    "a number of 10**5 digits": _scenario("", '{"a": ' + "9" * 100_000 + "}"),
    "another arrival": _scenario('"arrival":"ARRIVED_US"', '"arrival":["x"]'),
    "another border": _scenario('"bound":"US_SWB"', '"bound":"\\u001b[31mNO"'),
    "a label that is a table": _scenario('"label":"hub"', '"label":{"a":[1]}'),
    "a label with escapes": _scenario('"label":"hub"', '"label":"\\u001b[31mhub\\u009b31m[red]x\\u202e"'),
    "a table with another's path": _document("tables/../../x"),
    "a table with an absolute path": _document("/etc/x"),
    "a table whose name has escapes": _document("a\x1b[31m\nb"),
    "labels with escapes": _fill("point", ["A\x1b[31m\n", "B[red]", "C\x9b31m", "D\u202e"]),
    "a title of bytes": _attribute("scenario_title", "$\\frac{ \x1b[31m [red]$"),
    "a time of text": _attribute("wall_seconds", "x"),
    "no time": _attribute("wall_seconds", np.nan),
    "a time without end": _attribute("wall_seconds", np.inf),
    "agents of text": _attribute("agents_walked", "x"),
    "one loop": _attribute("nested", [1, ROWS]),
    "vast loops": _attribute("nested", [3, 10**9]),
    "a ledger of elsewhere": _two_blocks,
    "a ledger without time": _fill("ledger/seconds", np.nan),
    "a ledger of endless time": _fill("ledger/seconds", np.inf),
    "a ledger of negative agents": _fill("ledger/agents", -(2**62)),
    "a ledger without checksums": _fill("ledger/checksum", b"\xff\x1b[31m"),
    "negative totals": _fill("totals/victims", -7),
    "the largest totals": _fill("totals/victims", 2**63 - 1),
    "identifiers of sets that are not there": _fill("theta_id", 2**32 - 1),
    "units with escapes": lambda file: file["victims"].attrs.__setitem__("units", "\x1b[31m[red]"),
}


@pytest.mark.parametrize(
    "verbs", [(("summary",),), pytest.param(VERBS, marks=pytest.mark.long)], ids=["some verbs", "every verb"]
)
@pytest.mark.parametrize("case", OPENED)
def test_harmless_when_it_is_opened(
    case: str, verbs: Sequence[tuple[str, ...]], confinement: Confinement, sound: Path, tmp_path: Path
) -> None:
    changed(sound, tmp_path, OPENED[case])
    before = sorted(path.name for path in tmp_path.rglob("*"))
    numbers = any(word in case for word in ("bomb", "ledger", "identifiers", "totals", "table"))
    codes = outcomes(confinement, tmp_path, verbs, with_reads=numbers or len(verbs) > 1)
    if "bomb" in case or "other chunks" in case:
        assert codes["info --verify"] == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_sound_file_passes_every_call(confinement: Confinement, sound: Path, tmp_path: Path) -> None:
    changed(sound, tmp_path, lambda file: None)
    codes = outcomes(confinement, tmp_path, VERBS)
    assert {verb for verb, code in codes.items() if code} == {"reweight --set"}  # a fixed value cannot be weighed


def test_text_before_the_file_and_files_that_are_none(confinement: Confinement, sound: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.h5"
    file.write_bytes(b"\0" * 512 + sound.read_bytes())  # a user block, which HDF5 allows and the format does not
    assert "is not an HDF5 file" in confinement.simcore("info", "x.h5", folder=tmp_path).line
    file.write_bytes(sound.read_bytes()[:100])
    assert confinement.simcore("info", "x.h5", folder=tmp_path).code == 2
    for target in ("/dev/zero", "/dev/stdin", "/proc/kmsg", "/proc/self/mem", "x.h5", "nowhere"):
        file.unlink()
        file.symlink_to(target)
        for verb in ("info", "summary"):
            ended = confinement.simcore(verb, "x.h5", folder=tmp_path)
            harmless(ended)
            assert ended.code == 2
    file.unlink()
    os.mkfifo(file)
    assert confinement.simcore("summary", "x.h5", folder=tmp_path).line == "error: x.h5: is not a regular file"


def test_a_text_as_large_as_the_file_is_refused(confinement: Confinement, sound: Path, tmp_path: Path) -> None:
    changed(sound, tmp_path, _attribute("scenario_title", "x" * 2**26))
    for memory in (2**31, 2**30):
        ended = confinement.simcore("info", "x.h5", folder=tmp_path, memory=memory)
        harmless(ended)
        assert ended.code == 2
        assert "67108864 characters, limit 1048576" in ended.line or "damaged" in ended.line
