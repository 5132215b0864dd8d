"""The Python that the tests run in, looked at through the adapter; projects are real folders."""

import platform
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from triune.adapters.installation import LocalInstallation
from triune.domain.errors import UsageError

Project = Callable[[dict[str, str]], list[Path]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write files and list them."""

    def write(files: dict[str, str]) -> list[Path]:
        paths = [tmp_path / "churn" / name for name in files]
        for path, content in zip(paths, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return paths

    return write


@pytest.fixture(scope="module")
def installation() -> LocalInstallation:
    return LocalInstallation()


def test_the_machine_is_told_by_python_platform_and_hardware(
    installation: LocalInstallation,
) -> None:
    machine = installation.machine()

    assert machine.python == ".".join(platform.python_version_tuple()[:2])
    assert machine.platform.replace("_", "").isalnum()
    assert "core" in machine.hardware
    assert machine.hardware.endswith(" GiB")


def test_hardware_is_read_from_proc(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Analytical  Engine\n")
    (tmp_path / "meminfo").write_text("MemTotal:        8388608 kB\nMemFree: 1 kB\n")

    hardware = LocalInstallation(proc=tmp_path).machine().hardware

    assert hardware.startswith("Analytical Engine, ")
    assert hardware.endswith(", 8.0 GiB")


def test_hardware_is_told_where_there_is_no_proc(tmp_path: Path) -> None:
    hardware = LocalInstallation(proc=tmp_path / "absent").machine().hardware

    model, cores, memory = hardware.split(", ")
    assert model
    assert cores
    assert float(memory.removesuffix(" GiB")) > 0


def test_installed_versions_go_by_normalised_names(installation: LocalInstallation) -> None:
    versions = installation.versions()

    assert versions["scikit-learn"] == metadata.version("scikit-learn")
    assert versions["typing-extensions"] == metadata.version("typing_extensions")
    assert list(versions) == sorted(versions)


def test_the_remains_of_an_interrupted_installation_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remains = tmp_path / "half-1.0.dist-info"
    remains.mkdir()
    (remains / "top_level.txt").write_text("half\n")
    monkeypatch.syspath_prepend(tmp_path)

    installation = LocalInstallation()

    assert "half" not in installation.versions()
    assert installation.needed([]) == {}


def test_imports_are_needed_with_all_that_they_require_and_nothing_of_triune(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project(
        {
            "src/train.py": "import json\nimport pandas as pd\n",
            "src/features.py": "def fit():\n    from sklearn.linear_model import Ridge\n",
        }
    )

    needed = installation.needed(sources)

    assert needed.keys() >= {"pandas", "scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"}
    assert needed.keys().isdisjoint({"triune", "duckdb", "sqlalchemy", "pytest", "pyarrow"})
    assert needed["scipy"] == metadata.version("scipy")


def test_what_triune_needs_too_is_needed_where_it_is_imported(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"src/train.py": "import triune\nimport duckdb\n"})

    assert "duckdb" in installation.needed(sources)
    assert "triune" not in installation.needed(sources)
    assert installation.missing(sources) == ()


def test_extras_that_are_required_are_followed(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    install(site, "alpha", requires=["Beta_Pkg[fast]>=1", "absent", "x=="])
    install(site, "beta-pkg", requires=["gamma; extra == 'fast'", "delta; extra == 'slow'"])
    install(site, "gamma", requires=["alpha", "delta; python_version < '3'"])
    install(site, "delta")
    monkeypatch.syspath_prepend(site)

    needed = LocalInstallation().needed(project({"train.py": "import alpha.part\n"}))

    assert needed == {"alpha": "1.0", "beta-pkg": "1.0", "gamma": "1.0"}


def test_modules_that_no_file_imports_are_needed_with_all_that_they_require(
    installation: LocalInstallation,
) -> None:
    needed = installation.needed([], modules=["sklearn", "json", "triune", "nowhere"])

    assert needed.keys() >= {"scikit-learn", "numpy", "scipy", "joblib"}
    assert needed.keys().isdisjoint({"triune", "duckdb", "pandas"})


def test_modules_tell_of_their_package_unless_several_share_them(
    tmp_path: Path, installation: LocalInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installation.packages_of(["sklearn", "yaml", "json", "nowhere"]) == {
        "scikit-learn",
        "pyyaml",
    }
    site = tmp_path / "site"
    install(site, "shared")
    info = site / "also-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: also\nVersion: 1.0\n")
    (info / "RECORD").write_text("shared/part.py,,\n")
    monkeypatch.syspath_prepend(site)

    assert LocalInstallation().packages_of(["shared"]) == frozenset()


def test_what_resolves_to_nothing_is_missing_by_its_imported_name(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"src/train.py": "import nowhere.at_all\nfrom absent import x\n"})

    assert installation.missing(sources) == ("absent", "nowhere")
    assert installation.needed(sources) == {}


def test_modules_of_the_project_are_neither_needed_nor_missing(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project(
        {
            "src/train.py": "import features, src.steps\nfrom src import features\nimport churn\n",
            "src/features.py": "from . import steps\nfrom .steps import clean\n",
            "src/steps/__init__.py": "import __main__, __future__, os.path\n",
            "src/steps/clean.py": "from steps import other\n",
            "main.py": "import src.train\n",
        }
    )

    assert installation.missing(sources) == ()
    assert installation.needed(sources) == {}


def test_a_project_of_one_folder_may_import_that_folder(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"src/a.py": "import src.b\n", "src/b.py": ""})

    assert installation.missing(sources) == ()


def test_code_inside_of_a_package_may_import_the_package(
    installation: LocalInstallation, project: Project
) -> None:
    init, *sources = project(
        {"lib/pkg/__init__.py": "", "lib/pkg/sub/__init__.py": "", "lib/pkg/sub/a.py": "import pkg"}
    )

    assert init.exists()
    assert installation.missing(sources) == ()


def test_a_module_of_the_project_hides_an_installed_package(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"src/train.py": "import joblib\n", "src/joblib.py": ""})

    assert installation.needed(sources) == {}


def test_a_module_deep_in_a_package_hides_no_installed_package(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project(
        {
            "src/adapters/__init__.py": "",
            "src/adapters/joblib.py": "import joblib\n",
            "src/train.py": "import src.adapters\n",
        }
    )

    assert "joblib" in installation.needed(sources)


def test_imports_that_the_code_does_without_are_not_missing(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project(
        {
            "src/train.py": (
                "from typing import TYPE_CHECKING\n"
                "import typing\n"
                "try:\n    import faster\nexcept (ValueError, ImportError):\n    import slower\n"
                "try:\n    import anything\nexcept:\n    pass\n"
                "try:\n    import strict\nexcept KeyError:\n    pass\n"
                "if TYPE_CHECKING:\n    import hints\nelse:\n    import real\n"
                "if typing.TYPE_CHECKING:\n    import more_hints\n"
            )
        }
    )

    assert installation.missing(sources) == ("real", "slower", "strict")


def test_an_optional_import_that_is_installed_is_needed(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"a.py": "try:\n    import joblib\nexcept ImportError:\n    pass\n"})

    assert "joblib" in installation.needed(sources)


@pytest.mark.parametrize("ask", ["needed", "missing"])
def test_a_file_that_is_no_python_is_refused_with_its_line(
    installation: LocalInstallation, project: Project, ask: str
) -> None:
    (source,) = project({"src/train.py": "import os\nimport os\ndef f(:\n"})

    with pytest.raises(UsageError, match=r"src/train\.py:3: not Python 3"):
        getattr(installation, ask)([source])


def test_bytes_that_no_python_file_holds_are_refused(
    installation: LocalInstallation, tmp_path: Path
) -> None:
    source = tmp_path / "train.py"
    source.write_bytes(b"x = 1\0\n")

    with pytest.raises(UsageError, match=r"train\.py:1: not Python"):
        installation.needed([source])


def test_a_file_that_is_not_there_is_named(installation: LocalInstallation, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*gone\.py: No such file"):
        installation.needed([tmp_path / "gone.py"])


def test_warnings_about_the_users_code_stay_silent(
    installation: LocalInstallation, project: Project
) -> None:
    sources = project({"src/train.py": 'pattern = "\\d"\n'})

    assert installation.missing(sources) == ()


def test_the_standard_library_is_no_package(
    installation: LocalInstallation, project: Project
) -> None:
    listed = "\n".join(f"import {name}" for name in sorted(sys.stdlib_module_names))
    sources = project({"src/train.py": listed})

    assert installation.needed(sources) == {}
    assert installation.missing(sources) == ()


def install(site: Path, name: str, *, requires: list[str] | None = None) -> None:
    """Install a package as an installer leaves it: a module, and its metadata."""
    module = name.replace("-", "_")
    (site / module).mkdir(parents=True)
    (site / module / "__init__.py").touch()
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {line}\n" for line in requires or []]
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{''.join(lines)}"
    )
    (info / "RECORD").write_text(f"{module}/__init__.py,,\n")
