import os
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

READ_ONLY = """
import sys
from pathlib import Path
from triune.adapters.scratch import LockedScratch
with LockedScratch(Path(sys.argv[1])).folder() as folder:
    (folder / "code" / "src").mkdir(parents=True)
    (folder / "code" / "src" / "a.py").touch(mode=0o400)
    for name in ("code/src", "code"):
        (folder / name).chmod(0o500)
    try:
        (folder / "code" / "b.py").touch()
    except PermissionError:
        print("it could not be written to")
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


def test_folders_that_were_made_read_only_are_gone_too(tmp_path: Path) -> None:
    # Root may write anywhere, unless it gives that up.
    humble = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    command = [*humble, sys.executable, "-c", READ_ONLY, str(tmp_path)]

    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert told == "it could not be written to\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_shared_is_made_once_and_lasts_until_it_is_closed(tmp_path: Path) -> None:
    scratch = LockedScratch(tmp_path)

    folder = scratch.shared()
    (folder / "file").write_text("content")
    with scratch.folder() as other:
        assert other != folder
    assert scratch.shared() == folder

    scratch.close()
    assert list(tmp_path.iterdir()) == []
    assert scratch.shared() != folder
    scratch.close()


def test_what_a_killed_process_shared_is_swept(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from triune.adapters.scratch import LockedScratch\n"
        "LockedScratch(Path(sys.argv[1])).shared()\n"
        "os.kill(os.getpid(), 9)\n"
    )

    subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    left = len(list(tmp_path.iterdir()))
    LockedScratch(tmp_path).sweep()

    assert left == 2
    assert list(tmp_path.iterdir()) == []
