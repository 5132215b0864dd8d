"""A release's code is imported from the bytes that were verified, in every way that Python has."""

import importlib
import importlib.resources
import importlib.util
import inspect
import linecache
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

from triune.serving.code import SUFFIXES, VerifiedCode, import_from

Enter = Callable[[Mapping[str, str | bytes]], Path]


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Lay code out, and make it the first that imports find, as a worker does."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def lay_out(files: Mapping[str, str | bytes]) -> Path:
        folder = tmp_path / "code"
        contents = {
            name: content.encode() if isinstance(content, str) else content
            for name, content in files.items()
        }
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        held = {name: content for name, content in contents.items() if name.endswith(SUFFIXES)}
        import_from(VerifiedCode(folder=folder, paths=frozenset(contents), modules=held))
        sys.path.insert(0, str(folder))
        return folder

    yield lay_out
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path_importer_cache.clear()
    linecache.clearcache()


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_a_module_is_what_was_verified_whatever_its_file_holds_now(enter: Enter) -> None:
    folder = enter({"triune_a/__init__.py": "", "triune_a/b.py": "VALUE = 1\n"})
    load("triune_a")
    (folder / "triune_a" / "b.py").write_text("VALUE = 2\n")

    assert load("triune_a.b").VALUE == 1
    assert importlib.reload(load("triune_a.b")).VALUE == 1


def test_a_module_whose_file_is_gone_is_still_there(enter: Enter) -> None:
    folder = enter({"triune_a.py": "VALUE = 1\n"})
    (folder / "triune_a.py").unlink()

    assert load("triune_a").VALUE == 1


@pytest.mark.parametrize("planted", ["triune_b.py", "triune_b/__init__.py", "triune_a/b.py"])
def test_a_module_that_was_planted_cannot_be_imported(enter: Enter, planted: str) -> None:
    folder = enter({"triune_a/__init__.py": ""})
    (folder / planted).parent.mkdir(exist_ok=True)
    (folder / planted).write_text("VALUE = 1\n")
    name = planted.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    with pytest.raises(ModuleNotFoundError):
        load(name)


def test_a_folder_that_was_made_a_link_since_leads_nowhere_else(
    enter: Enter, tmp_path: Path
) -> None:
    folder = enter({"triune_a/b.py": "VALUE = 1\n"})
    (folder / "triune_a").rename(tmp_path / "old")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "b.py").write_text("VALUE = 2\n")
    (tmp_path / "new" / "c.py").write_text("VALUE = 2\n")
    (folder / "triune_a").symlink_to(tmp_path / "new")

    assert load("triune_a.b").VALUE == 1
    with pytest.raises(ModuleNotFoundError):
        load("triune_a.c")


def test_the_folder_by_another_name_holds_the_same_modules(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = enter({"more/triune_a.py": "VALUE = 1\n", "more/triune_b.py": "VALUE = 1\n"})
    for name in ("triune_a", "triune_b"):
        (folder / "more" / f"{name}.py").write_text("VALUE = 2\n")
    (tmp_path / "link").symlink_to(folder)

    sys.path.insert(0, str(tmp_path / "link" / "more"))
    assert load("triune_a").VALUE == 1

    monkeypatch.chdir(folder)
    sys.path[0] = "more/../more"
    assert load("triune_b").VALUE == 1


def test_modules_know_where_they_lie_and_find_the_files_beside_them(enter: Enter) -> None:
    folder = enter(
        {
            "triune_a/__init__.py": "from pathlib import Path\n"
            "HERE = Path(__file__).parent\nTEXT = (HERE / 'x.json').read_text()\n",
            "triune_a/b.py": "",
            "triune_a/x.json": "{}",
        }
    )

    package, module = load("triune_a"), load("triune_a.b")

    assert package.TEXT == "{}"
    assert package.__path__ == [str(folder / "triune_a")]
    assert package.__spec__ is not None
    assert package.__spec__.origin == package.__file__ == str(folder / "triune_a" / "__init__.py")
    assert module.__file__ == str(folder / "triune_a" / "b.py")
    assert module.__package__ == "triune_a"
    assert importlib.resources.files("triune_a").joinpath("x.json").read_text() == "{}"
    assert pkgutil.get_data("triune_a", "x.json") == b"{}"


def test_a_folder_without_init_is_a_namespace_that_spans_paths(enter: Enter) -> None:
    folder = enter(
        {
            "triune_a/b.py": "from . import c\nVALUE = c.VALUE\n",
            "src/triune_a/c.py": "VALUE = 1\n",
            "triune_a/x.json": "{}",
        }
    )
    sys.path.insert(1, str(folder / "src"))

    assert load("triune_a.b").VALUE == 1
    assert list(load("triune_a").__path__) == [
        str(folder / "triune_a"),
        str(folder / "src" / "triune_a"),
    ]
    assert importlib.resources.files("triune_a").joinpath("x.json").read_text() == "{}"


def test_source_in_tracebacks_and_for_inspect_is_what_was_verified(enter: Enter) -> None:
    folder = enter({"triune_a.py": "def fail():\n    raise ValueError('verified')\n"})
    module = load("triune_a")
    (folder / "triune_a.py").write_text("def fail():\n    raise ValueError('changed')\n")

    assert "verified" in inspect.getsource(module.fail)
    with pytest.raises(ValueError, match="verified") as caught:
        module.fail()
    assert "raise ValueError('verified')" in "".join(traceback.format_exception(caught.value))


def test_no_bytecode_is_written_or_read(enter: Enter) -> None:
    folder = enter({"triune_a.py": "VALUE = 1\n", "triune_b.py": "VALUE = 1\n"})
    cached = Path(importlib.util.cache_from_source(str(folder / "triune_b.py")))
    cached.parent.mkdir()
    cached.write_bytes(b"no bytecode")

    assert load("triune_a").VALUE == load("triune_b").VALUE == 1

    assert list(cached.parent.iterdir()) == [cached]


def test_modules_are_listed_as_they_were_verified(enter: Enter) -> None:
    folder = enter(
        {"a.py": "", "b/__init__.py": "", "b/c.py": "", "b/d/__init__.py": "", "e/f.py": ""}
    )
    (folder / "planted.py").touch()

    def listed(place: Path) -> list[tuple[str, bool]]:
        return [(found.name, found.ispkg) for found in pkgutil.iter_modules([str(place)])]

    assert listed(folder) == [("a", False), ("b", True)]
    assert listed(folder / "b") == [("c", False), ("d", True)]


def test_source_in_another_encoding_is_read_as_it_says(enter: Enter) -> None:
    enter({"triune_a.py": "# coding: latin-1\nVALUE = 'naïve'\n".encode("latin-1")})

    assert load("triune_a").VALUE == "naïve"


def test_an_extension_module_is_the_one_that_was_verified(enter: Enter) -> None:
    compiled = importlib.util.find_spec("msgspec._core")
    assert compiled is not None
    assert compiled.origin is not None
    name = "_core" + EXTENSION_SUFFIXES[0]
    folder = enter({f"triune_a/{name}": Path(compiled.origin).read_bytes()})
    (folder / "triune_a" / name).write_bytes(b"changed")

    spec = importlib.util.find_spec("triune_a._core")

    assert spec is not None
    assert spec.loader is not None
    assert spec.origin == str(folder / "triune_a" / name)
    module = importlib.util.module_from_spec(spec)
    assert module.__file__ == spec.origin
    assert module.__spec__ is spec
