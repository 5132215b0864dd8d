"""Results of checks that are remembered by what they read."""

from dataclasses import replace
from pathlib import Path

from triune.adapters.results import FileResultMemory
from triune.domain.evidence import CheckResult, Layer
from triune.domain.verdict import Reason, Verdict

RESULT = CheckResult(
    layer=Layer.CODE,
    name="lint",
    verdict=Verdict.PASS,
    reason=Reason(code="LINT_CLEAN", message="clean"),
    seconds=1.0,
    digest="a" * 64,
)


def find(memory: FileResultMemory, *, name: str = "lint", digest: str = "a" * 64) -> object:
    return memory.find(layer=Layer.CODE, name=name, digest=digest)


def test_a_result_is_found_by_its_digest_alone(tmp_path: Path) -> None:
    memory = FileResultMemory(tmp_path / "results")
    memory.keep(RESULT)

    assert find(memory) == RESULT
    assert find(memory, digest="b" * 64) is None
    assert find(memory, name="types") is None


def test_a_result_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    memory = FileResultMemory(tmp_path)
    memory.keep(RESULT)
    newer = replace(RESULT, seconds=2.0)

    memory.keep(newer)

    assert find(memory) == newer
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_no_result(tmp_path: Path) -> None:
    memory = FileResultMemory(tmp_path)
    memory.keep(RESULT)
    (file,) = tmp_path.iterdir()

    file.write_bytes(b'{"layer": "code"')

    assert find(memory) is None


def test_where_nothing_can_be_kept_nothing_is_lost_but_time(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")

    FileResultMemory(tmp_path / "results").keep(RESULT)

    assert find(FileResultMemory(tmp_path / "results")) is None
