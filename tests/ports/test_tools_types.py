"""The check ``types``, by the real mypy."""

from pathlib import Path

import pytest
from tests.toolboxes import ADD, CLEAN, a_checked_project, a_toolbox, found, listing, write

from triune.adapters.tools.mypy import Remark, read_mypy
from triune.domain.evidence import Finding, Judgement
from triune.domain.verdict import Verdict

WRONG = "def name() -> str:\n    return 1\n"
WRONG_SAID = 'Incompatible return value type (got "int", expected "str")  [return-value]'


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep what mypy knows of the standard library from test to test."""
    return tmp_path_factory.mktemp("caches")


def check_types(root: Path, caches: Path) -> tuple[Judgement, list[str]]:
    lines: list[str] = []
    result = a_toolbox(root, caches=caches).preset("types").judge(lines.append)
    return result, lines


def test_clean_code_passes_and_the_cache_lies_where_it_was_told_to(
    tmp_path: Path, caches: Path
) -> None:
    root = a_checked_project(tmp_path)
    before = listing(root)

    result, _ = check_types(root, caches)

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "TYPES_CLEAN")
    assert result.figures == {"files": 2, "findings": 0}
    assert listing(root) == before
    assert any((caches / "mypy").iterdir())


def test_each_error_names_its_file_and_line_and_is_told_as_people_read_it(
    tmp_path: Path, caches: Path
) -> None:
    root = a_checked_project(tmp_path, {"src/__init__.py": "", "src/with space.py": WRONG})

    result, lines = check_types(root, caches)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "TYPES_FOUND")
    assert found(result) == [("src/with space.py", 2, WRONG_SAID)]
    assert lines == ["> python -m mypy -- src", f"src/with space.py:2: error: {WRONG_SAID}"]


def test_a_file_that_is_no_python_is_a_finding(tmp_path: Path, caches: Path) -> None:
    root = a_checked_project(tmp_path, {"src/sums.py": "X = 1\ndef add(:\n    pass\n"})

    result, _ = check_types(root, caches)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "TYPES_FOUND")
    assert {(finding.file, finding.line) for finding in result.findings} == {("src/sums.py", 2)}


def test_what_mypy_only_notes_is_no_finding(tmp_path: Path, caches: Path) -> None:
    root = a_checked_project(tmp_path, {"src/sums.py": f"{ADD}reveal_type(add)\n"})

    result, lines = check_types(root, caches)

    assert result.verdict is Verdict.PASS
    assert any("note: Revealed type" in line for line in lines)


def test_the_projects_own_configuration_counts_and_a_users_does_not(
    tmp_path: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_checked_project(tmp_path, {"src/sums.py": "def add(a, b):\n    return a + b\n"})
    write(tmp_path, {"home/.mypy.ini": "[mypy]\ndisallow_untyped_defs = true\n"})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    without, _ = check_types(root, caches)
    write(root, {"pyproject.toml": "[tool.mypy]\ndisallow_untyped_defs = true\npretty = true\n"})
    within, _ = check_types(root, caches)

    assert without.verdict is Verdict.PASS
    assert [finding.line for finding in within.findings] == [1]


def test_a_module_of_the_projects_does_not_stand_in_for_one_of_the_tools(
    tmp_path: Path, caches: Path
) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"mypy.py": "raise RuntimeError\n"})

    result, _ = check_types(root, caches)

    assert result.verdict is Verdict.PASS


def test_settings_that_mypy_cannot_use_are_an_error_with_what_it_said(
    tmp_path: Path, caches: Path
) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"mypy.ini": "[mypy]\nplugins = nowhere.py\n"})

    result, _ = check_types(root, caches)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "nowhere.py" in result.findings[0].message


def test_a_mypy_that_breaks_on_the_way_is_an_error_whatever_it_found_before(
    tmp_path: Path, caches: Path
) -> None:
    plugin = (
        "from mypy.plugin import Plugin\n"
        "class Broken(Plugin):\n"
        "    def get_function_hook(self, fullname):\n"
        "        if fullname == 'src.first.name':\n"
        "            raise RuntimeError('the plugin broke')\n"
        "def plugin(version):\n"
        "    return Broken\n"
    )
    files = {
        "mypy.ini": "[mypy]\nplugins = plugin.py\n",
        "plugin.py": plugin,
        "src/__init__.py": "",
        "src/first.py": WRONG,
        "src/second.py": "import src.first\n\nprint(src.first.name())\n",
    }
    root = a_checked_project(tmp_path, files)

    result, lines = check_types(root, caches)

    assert f"src/first.py:2: error: {WRONG_SAID}" in lines
    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "the plugin broke" in result.findings[0].message


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        (
            "a b.py:3: error: Incompatible types  [assignment]",
            Remark(
                severity="error",
                finding=Finding(message="Incompatible types  [assignment]", file="a b.py", line=3),
            ),
        ),
        (
            "a.py: error: Duplicate module named 'a'",
            Remark(
                severity="error",
                finding=Finding(message="Duplicate module named 'a'", file="a.py"),
            ),
        ),
        ("a.py:3: error: INTERNAL ERROR -- Please try", None),
        ("mypy: error: unrecognized arguments: --nothing", None),
        ("{} no JSON", None),
        ('{"file": "a.py"}', None),
        ("", None),
    ],
)
def test_lines_of_versions_without_json_are_read_too(line: str, remark: Remark | None) -> None:
    assert read_mypy(line) == remark
