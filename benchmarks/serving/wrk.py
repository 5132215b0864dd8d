"""Has wrk ask a server for a while, and verifies every answer that it got.

wrk sends the requests in turn and does not tell which of them an answer belongs to. So an answer is
taken for right where it is the one to any of them; that each request gets its own answer is what
`benchmarks.serving.load` sees, connection by connection, before anything is measured.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.serving.load import Measured, Verify

SCRIPT = Path(__file__).with_name("wrk.lua")
THREADS = 1
"""More of them only take the processor from the server, where there are two."""


def wrk(
    address: tuple[str, int],
    requests: Sequence[bytes],
    verify: Verify,
    *,
    connections: int,
    seconds: float,
) -> Measured:
    """Ask for some time; each connection asks again as soon as it is answered."""
    host, port = address
    with tempfile.TemporaryDirectory() as folder:
        asked, seen = Path(folder, "requests"), Path(folder, "seen")
        asked.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in requests))
        command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds:g}s", "-s", str(SCRIPT)]
        done = subprocess.run(
            [*command, f"http://{host}:{port}/", "--", str(asked)],
            env={**os.environ, "WRK_SEEN": str(seen)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not seen.exists():
            sys.exit(f"wrk failed on {host}:{port}: {done.stdout}{done.stderr}")
        figures, _, answers = seen.read_bytes().partition(b"\n")
    count, took_us, median_us, p99_us, failed = map(int, figures.split())
    if not count:
        sys.exit(f"nothing was answered at {address} in {seconds} s")
    wrong = sum(
        times
        for times, body in _answers(answers)
        if not any(verify(index, json.loads(body)) for index in range(len(requests)))
    )
    return Measured(
        per_second=1e6 * count / took_us,
        median_ms=median_us / 1000,
        p99_ms=p99_us / 1000,
        wrong=failed + wrong,
    )


def _answers(content: bytes) -> Iterator[tuple[int, bytes]]:
    """List how often each body was seen."""
    while content:
        head, _, rest = content.partition(b"\n")
        times, size = map(int, head.split())
        yield times, rest[:size]
        content = rest[size:]
