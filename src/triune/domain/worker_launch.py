"""How a release's worker is launched, and what it says first; for all who launch one.

A worker is a process that leads a group of its own and inherits one end each of two Unix socket
pairs. On one, the connection, its first frame is a `Reply`: status 200 and what the model answers,
or 500 and why it could not start. When that closes, the worker ends by itself. On the other, the
lifeline, nothing is ever sent: when it closes, as it does when whoever launched the worker is
killed, the kernel kills the worker and all of its group. Processes that leave the group (a daemon
that calls ``setsid``) are beyond reach.
"""

import json
from collections.abc import Mapping
from typing import Final

from triune.domain.errors import (
    ModelError,
    RuntimeMismatchError,
    TamperedError,
    TriuneError,
    WorkerError,
)
from triune.domain.frames import Reply
from triune.domain.manifest import Outputs

MODULE: Final = "triune.serving.worker"

# Where a worker may find modules is for the release alone to say. A fixed hash seed makes the
# order of sets, and so whatever is computed in that order, the same in every worker.
_PYTHON: Final = {
    "PYTHONSAFEPATH": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",
}
# Native threads that wait for each other by spinning make one row a hundred times slower where the
# cores are taken, and the order of their sums decides the last bits of an answer.
_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_KEPT_BACK: Final = ("PYTHON", "TRIUNE_")
_FAULTS: Final[dict[str, type[TriuneError]]] = {
    fault.code: fault for fault in (RuntimeMismatchError, TamperedError, ModelError)
}


def worker_command(  # noqa: PLR0913 - one for each thing that is inherited
    *,
    python: str,
    bundle: str,
    manifest: str,
    connection: int,
    lifeline: int,
    memory_bytes: int | None = None,
    notes_needs: bool = False,
) -> tuple[str, ...]:
    """Say what to execute: a worker on a bundle whose manifest has the digest ``manifest``.

    ``memory_bytes`` bounds what it may allocate; what needs more raises MemoryError. With
    ``notes_needs`` it can be asked what its model needs, which one that serves is spared.
    """
    limit = () if memory_bytes is None else ("--memory", str(memory_bytes))
    notes = ("--notes-needs",) if notes_needs else ()
    return (
        python,
        "-m",
        MODULE,
        "--bundle",
        bundle,
        "--manifest",
        manifest,
        "--connection",
        str(connection),
        "--lifeline",
        str(lifeline),
        *limit,
        *notes,
    )


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Say in which environment: without Triune's own settings, and with no other import path.

    Native libraries use one thread each, unless the process was told another number.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_KEPT_BACK)}
    return {**_ONE_THREAD, **kept, **_PYTHON}


def started(outputs: Outputs) -> Reply:
    """Say that the model is loaded, and what it answers."""
    document = {"classes": list(outputs.classes), "probabilities": outputs.probabilities}
    return Reply(status=200, body=json.dumps(document).encode())


def not_started(fault: TriuneError) -> Reply:
    """Say why there will be no answers."""
    document = {"code": fault.code, "message": str(fault)}
    return Reply(status=500, body=json.dumps(document).encode())


def read_start(reply: Reply) -> Outputs:
    """Read what a worker said first.

    Raises
    ------
    RuntimeMismatchError, TamperedError, ModelError, WorkerError
        It could not start.
    """
    document = json.loads(reply.body)
    if reply.status != 200:
        raise _FAULTS.get(document["code"], WorkerError)(document["message"])
    return Outputs(classes=tuple(document["classes"]), probabilities=document["probabilities"])


def describe_exit(code: int | None) -> str:
    """Say how a process ended, from its exit status as Python gives it."""
    if code is None:
        return "closed its connection"
    if code == -9:
        return "was killed (SIGKILL: by hand, or because memory ran out)"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
