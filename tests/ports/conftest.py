"""What the tests of adapters share: real servers, started once and stopped at the end."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("triune.testing.port_checks")

BINARIES = Path("/usr/lib/postgresql")


def find_postgresql(program: str) -> str | None:
    """Find a program of PostgreSQL, of the newest version that is installed."""
    versions = sorted(BINARIES.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    folders = [str(folder) for folder in reversed(versions)]
    return shutil.which(program, path=os.pathsep.join([*folders, os.environ["PATH"]]))


def as_postgres(command: list[str]) -> list[str]:
    """Run a command as a user that PostgreSQL accepts: not as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte."""
    disk = tmp_path / "small-disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a disk takes rights that this process does not have")
    try:
        yield disk
    finally:
        # Lazily: the last file of a test may only be closed when its objects are collected.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL server that only this machine's users reach; yields its folder."""
    initdb, pg_ctl = find_postgresql("initdb"), find_postgresql("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data, log = f"{folder}/data", f"{folder}/log"
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        initialise = [initdb, "-D", data, "-U", "triune", "-A", "trust", "-E", "UTF8", "-N"]
        start = [pg_ctl, "-D", data, "-l", log, "-o", options, "-w", "start"]
        stop = [pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"]
        subprocess.run(as_postgres(initialise), check=True, capture_output=True, cwd="/")
        # Its output goes nowhere: the server keeps the pipe that it is started with.
        subprocess.run(as_postgres(start), check=True, stdout=subprocess.DEVNULL, cwd="/")
        try:
            yield folder
        finally:
            subprocess.run(as_postgres(stop), check=True, stdout=subprocess.DEVNULL, cwd="/")
