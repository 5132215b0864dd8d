"""Several processes at one SQLite ledger, and processes that are killed while they write to it."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triune.adapters.ledger.sql import SqlLedger
from triune.domain.events import verify_chain
from triune.testing.port_checks import a_champion_change

PRELUDE = """
import sys
from triune.adapters.ledger.sql import SqlLedger
from triune.domain.errors import ConcurrencyError
from triune.testing.port_checks import a_champion_change

ledger = SqlLedger.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""

APPEND_TO_OWN_AND_SHARED = (
    PRELUDE
    + """
name, count = sys.argv[2], int(sys.argv[3])
for version in range(count):
    ledger.append([a_champion_change(environment=name)], expected_version=version)
    while True:
        shared = ledger.version("environment:shared")
        try:
            ledger.append(
                [a_champion_change(environment="shared", release=f"{name}-{version}")],
                expected_version=shared,
            )
        except ConcurrencyError:
            continue
        break
ledger.close()
"""
)

APPEND_ONCE = (
    PRELUDE
    + """
try:
    ledger.append([a_champion_change(release=sys.argv[2])], expected_version=0)
except ConcurrencyError:
    print("lost")
else:
    print("won")
ledger.close()
"""
)

APPEND_FOR_EVER = (
    PRELUDE
    + """
while True:
    version = ledger.version("environment:production")
    ledger.append([a_champion_change()] * 3, expected_version=version)
    print(version + 3, flush=True)
"""
)

APPEND_AND_DIE_AT = (
    PRELUDE
    + """
import os, signal
from sqlalchemy import Engine, event

left = int(sys.argv[2])

def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
    event.listen(Engine, name, count)
version = ledger.version("environment:production")
ledger.append([a_champion_change()] * 3, expected_version=version)
print("appended", flush=True)
"""
)


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def release_together(processes: list[subprocess.Popen[str]]) -> None:
    """Let processes go once all of them have opened the ledger."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def check_sound(ledger: SqlLedger) -> None:
    assert verify_chain(ledger.events()) == ledger.head()
    assert ledger.changed_records() == ()


def test_every_event_of_several_processes_lands_once(tmp_path: Path) -> None:
    url, names, count = f"sqlite:///{tmp_path / 'ledger.db'}", ["one", "two", "three"], 20

    # None of them finds the ledger there: they make it at once, too.
    processes = [start(APPEND_TO_OWN_AND_SHARED, url, name, count) for name in names]
    release_together(processes)
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    with SqlLedger.open(url) as ledger:
        check_sound(ledger)
        for name in names:
            assert ledger.version(f"environment:{name}") == count
        shared = [event.data["release"] for event in ledger.events(aggregate="environment:shared")]
        assert sorted(shared) == sorted(f"{name}-{n}" for name in names for n in range(count))


def test_of_two_processes_that_expect_one_version_one_wins(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"

    processes = [start(APPEND_ONCE, url, release) for release in ("one", "two")]
    release_together(processes)
    said = sorted(process.communicate(timeout=60)[0] for process in processes)

    assert said == ["lost\n", "won\n"]
    with SqlLedger.open(url) as ledger:
        check_sound(ledger)
        assert ledger.head().sequence == 1


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_nothing_that_it_reported(tmp_path: Path) -> None:
    url, moments = f"sqlite:///{tmp_path / 'ledger.db'}", random.Random(20260105)

    for _ in range(25):
        reported = append_until_killed(url, moments)

        with SqlLedger.open(url) as ledger:
            check_sound(ledger)
            version = ledger.version("environment:production")
            # Appends are of three events: of one that was cut short, none is there.
            assert version in {reported, reported + 3}


def append_until_killed(url: str, moments: random.Random) -> int:
    """Kill a writer somewhere after a few appends; return the last version it reported."""
    process = start(APPEND_FOR_EVER, url)
    release_together([process])
    assert process.stdout is not None
    for _ in range(moments.randrange(1, 8)):
        reported = process.stdout.readline()
    # Spun, not slept: the moment is to fall anywhere in an append, which takes a millisecond or so.
    moment = time.perf_counter() + moments.uniform(0, 0.005)
    while time.perf_counter() < moment:
        pass
    process.kill()
    # Not communicate(), which passes over what readline() has read ahead.
    rest = process.stdout.read()
    process.communicate(timeout=60)
    return int((reported + rest).split()[-1])


@pytest.mark.slow
def test_a_process_killed_at_each_statement_of_an_append_records_all_of_it_or_nothing(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    seen: set[int] = set()

    for point in range(1, 100):
        process = start(APPEND_AND_DIE_AT, url, point)
        release_together([process])
        said, _ = process.communicate(timeout=60)
        with SqlLedger.open(url) as ledger:
            check_sound(ledger)
            recorded = ledger.version("environment:production")
        seen.add(recorded)
        if said == "appended\n":
            break
        assert recorded == 0

    assert seen == {0, 3}
    with SqlLedger.open(url) as ledger:
        ledger.append([a_champion_change()], expected_version=3)
        check_sound(ledger)
