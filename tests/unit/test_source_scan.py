"""What may not appear in the program's sources: global or sequential generators, pickles, eval, unsafe arithmetic.

Every draw is a pure function of its address; a generator with a state would make results depend on the order of work.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("simcore", "analysis", "scenarios")
FORBIDDEN_MODULES = {
    "random": "a generator with a state",
    "numpy.random": "a generator with a state",
    "scipy.stats.qmc": "a sequence with a state",
    "pickle": "unreadable elsewhere and unsafe to load",
    "cPickle": "unreadable elsewhere and unsafe to load",
    "dill": "unreadable elsewhere and unsafe to load",
    "cloudpickle": "unreadable elsewhere and unsafe to load",
    "joblib": "unreadable elsewhere and unsafe to load",
    "marshal": "unreadable elsewhere and unsafe to load",
    "shelve": "unreadable elsewhere and unsafe to load",
}
FORBIDDEN_CALLS = {"eval", "exec", "__import__"}
FORBIDDEN_METHODS = {"rvs": "draws from a global generator", "to_pickle": "a pickle", "read_pickle": "a pickle"}


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` of an attribute chain, with the customary short names written out; empty if it is none."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    short = {"np": "numpy", "pd": "pandas", "nb": "numba"}
    return ".".join([short.get(node.id, node.id), *reversed(parts)])


def _is_forbidden(module: str) -> str | None:
    return next(
        (why for name, why in FORBIDDEN_MODULES.items() if module == name or module.startswith(f"{name}.")), None
    )


def offences(text: str) -> Iterator[str]:
    """Yield what a source may not do, with its line."""
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Import(names=names):
                for name in names:
                    if why := _is_forbidden(name.name):
                        yield f"{line}: import {name.name}: {why}"
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for name in names:
                    if why := _is_forbidden(module) or _is_forbidden(f"{module}.{name.name}"):
                        yield f"{line}: from {module} import {name.name}: {why}"
            case ast.Attribute():
                if (name := dotted(node)) and (why := _is_forbidden(name)):
                    yield f"{line}: {name}: {why}"
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                yield f"{line}: {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in FORBIDDEN_METHODS:
                yield f"{line}: .{name}(): {FORBIDDEN_METHODS[name]}"
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                safe = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg == "allow_pickle" and not safe:
                    yield f"{line}: allow_pickle"
                if keyword.arg == "parallel" and not safe:
                    yield f"{line}: parallel: threads belong to the runner"
                if keyword.arg == "fastmath" and not safe:
                    yield f"{line}: fastmath: results would differ between machines"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_hold_nothing_forbidden(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"))) == []


def test_there_are_sources_to_scan() -> None:
    assert len(sources()) > 60


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import choice",
        "import numpy as np\nx = np.random.default_rng(1)",
        "import numpy\nnumpy.random.seed(1)",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import numpy.random as r",
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "exec('1')",
        "import numba\n@numba.njit(fastmath=True)\ndef f(): pass",
        "import numba\n@numba.njit(fastmath={'reassoc'})\ndef f(): pass",
        "import numba\n@numba.njit(parallel=True)\ndef f(): pass",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "from scipy import stats\nstats.norm.rvs()",
        "frame.to_pickle('x')",
    ],
)
def test_scan_finds(text: str) -> None:
    assert list(offences(text))


@pytest.mark.parametrize(
    "text",
    [
        "from simcore.engines.random import derive_key",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import numba\n@numba.njit(nogil=True, fastmath=False)\ndef f(): pass",
        "model.evaluate('x')",
    ],
)
def test_scan_lets_pass(text: str) -> None:
    assert list(offences(text)) == []
