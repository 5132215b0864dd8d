import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from triune.adapters.scratch import LockedScratch

HOLD = """
import sys
from pathlib import Path
from triune.adapters.scratch import LockedScratch
with LockedScratch(Path(sys.argv[1])).folder(label="release a") as folder:
    (folder / "file").write_text("kept")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def told_folder(holder: subprocess.Popen[str]) -> Path:
    assert holder.stdout
    return Path(holder.stdout.readline().strip())


def test_a_folder_is_gone_with_its_block(tmp_path: Path) -> None:
    scratch = LockedScratch(tmp_path)

    with scratch.folder(label="release a") as folder:
        (folder / "file").write_text("content")
        assert scratch.in_use() == {"release a"}

    assert scratch.in_use() == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_live_process_is_in_use_and_survives_a_sweep(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    folder = told_folder(holder)
    scratch = LockedScratch(tmp_path)

    scratch.sweep()

    assert scratch.in_use() == {"release a"}
    assert (folder / "file").read_text() == "kept"


def test_the_folder_of_a_killed_process_is_swept(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    folder = told_folder(holder)
    scratch = LockedScratch(tmp_path)

    holder.kill()
    holder.wait()

    assert folder.exists()
    assert scratch.in_use() == frozenset()
    scratch.sweep()
    assert list(tmp_path.iterdir()) == []
