"""Domain and statistics fetch nothing: the contracts see what is imported, this what is called."""

import ast
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).parents[2] / "src" / "triune"
PURE: Final = [*(SOURCE / "domain").rglob("*.py"), *(SOURCE / "stats").rglob("*.py")]

# Whatever they are called on.
CLOCKS: Final = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
FILES: Final = {
    "exists",
    "is_dir",
    "is_file",
    "iterdir",
    "mkdir",
    "open",
    "read_bytes",
    "read_text",
    "rglob",
    "unlink",
    "write_bytes",
    "write_text",
}
# Of a module of this name, under whatever name it is imported.
MODULES: Final = {
    "datetime": {"fromtimestamp"},
    "locale": None,
    "numpy.random": None,
    "os": None,
    "platform": None,
    "sys": {"argv", "stdin", "stdout", "stderr"},
    "time": None,
    "numpy": {"fromfile", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt", "savez"},
}
# Given a seed they are functions of it.
SEEDED: Final = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox"}
BUILTINS: Final = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
# Types are no sources: a generator that is given is an argument.
TYPES: Final = {"Generator", "BitGenerator", "SeedSequence"}


def impurities(source: str) -> list[str]:
    """List what fetches anything, as ``line: what``."""
    tree = ast.parse(source)
    reader = _Reader(_names_of(tree))
    reader.visit(tree)
    return reader.found


def _names_of(tree: ast.AST) -> dict[str, str]:
    """Tell what each imported name stands for."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                names[each.asname or each.name] = f"{node.module}.{each.name}"
    return names


class _Reader(ast.NodeVisitor):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.found: list[str] = []

    def visit_Call(self, node: ast.Call) -> None:
        name = self._path(node.func)
        last = name.rpartition(".")[2]
        seed = [*node.args, *(each.value for each in node.keywords)]
        has_seed = any(not (isinstance(each, ast.Constant) and each.value is None) for each in seed)
        is_method = isinstance(node.func, ast.Attribute)
        if last in SEEDED and (not is_method or name.startswith("numpy.random.")):
            if not has_seed:
                self._find(node, f"{name}()")
        elif name in BUILTINS or (is_method and last in CLOCKS | FILES) or self._is_source(name):
            self._find(node, f"{name}()")
        # What is called is judged; what it is called on and with is read on.
        below = node.func.value if isinstance(node.func, ast.Attribute) else None
        for child in (below, *node.args, *node.keywords):
            if child is not None:
                self.visit(child)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._path(node)
        if self._is_source(name) and name.rpartition(".")[2] not in TYPES:
            self._find(node, name)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        # Imported by itself, or handed on without being called.
        name = self.names.get(node.id, "")
        if self._is_source(name) and name.rpartition(".")[2] not in TYPES | SEEDED:
            self._find(node, name)

    def _is_source(self, name: str) -> bool:
        module, _, last = name.rpartition(".")
        forbidden = MODULES.get(module, set())
        return bool(module) and (forbidden is None or last in forbidden)

    def _path(self, node: ast.AST) -> str:
        """Spell a dotted name in full; what is no name is left out."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._path(node.value)}.{node.attr}"
        return ""

    def _find(self, node: ast.expr, what: str) -> None:
        self.found.append(f"{node.lineno}: {what}")


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_domain_and_statistics_fetch_nothing(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    [
        "open('a')",
        "from pathlib import Path\nPath('a').read_text()",
        "def load(path):\n    return path.read_bytes()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "import datetime as dt\ndt.date.today()",
        "from time import time\ntime()",
        "import time\ntime.time()",
        "import time as t\nt.sleep(1)",
        "from time import monotonic\ndef f(clock=monotonic): ...",
        "import os\nhome = os.environ['HOME']",
        "from os import environ\nhome = environ",
        "from os import getenv\ngetenv('HOME')",
        "import numpy as np\nnp.random.default_rng()",
        "import numpy as np\nnp.random.default_rng(None)",
        "import numpy as np\nnp.random.default_rng(seed=None)",
        "from numpy.random import default_rng\ndefault_rng()",
        "import numpy as np\nnp.random.normal()",
        "import numpy as np\nnp.random.seed(1)",
        "import numpy as np\nnp.random.PCG64()",
        "import numpy as np\nnp.load('a.npy')",
        "import sys\nsys.argv",
        "print('a')",
        "eval('1')",
    ],
)
def test_whatever_fetches_something_is_refused(planted: str) -> None:
    assert impurities(planted)


@pytest.mark.parametrize(
    "planted",
    [
        "import numpy as np\ndef draw(seed):\n    return np.random.default_rng(seed)",
        "import numpy as np\nnp.random.default_rng(seed=7)",
        "import numpy as np\nnp.random.default_rng(np.random.SeedSequence([1, 2])).normal()",
        "import numpy as np\ndef draw(rng: np.random.Generator):\n    return rng.normal()",
        "def judge(now):\n    return now",
        "import datetime as dt\ndt.datetime.fromisoformat('2026-01-01')",
        "class Seen:\n    now: float\ndef judge(seen):\n    return seen.now",
    ],
)
def test_what_is_given_may_be_used(planted: str) -> None:
    assert impurities(planted) == []
