"""The worker process: verifies a bundle, loads its model, and answers calls on a socket.

It is launched as `triune.domain.worker_launch` says, never by hand.
"""

import faulthandler
import gc
import resource
import sys
import traceback
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from triune.domain.errors import ModelError, TriuneError, WorkerError
from triune.domain.worker_launch import not_started, started
from triune.serving.bundle import VerifiedBundle, verify_bundle
from triune.serving.connection import Connection
from triune.serving.lifeline import hang_on

if TYPE_CHECKING:
    from triune.serving.release import LoadedRelease

_COLLECTED_AFTER: Final = 10_000


def main() -> int:
    """Run until the other side of the connection is gone."""
    faulthandler.enable()
    arguments = _parse_arguments()
    hang_on(arguments.lifeline)
    if arguments.memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (arguments.memory, arguments.memory))
    connection = Connection(arguments.connection)
    try:
        release = _open(
            verify_bundle(arguments.bundle.resolve(), manifest_digest=arguments.manifest),
            notes_needs=arguments.notes_needs,
        )
    except TriuneError as fault:
        connection.send(not_started(fault))
        return 1
    # Whoever waits for this worker must be told, whatever it was.
    except BaseException as error:
        traceback.print_exc()
        connection.send(not_started(WorkerError(f"{type(error).__name__}: {error}")))
        raise
    _spare_the_collector()
    connection.send(started(release.outputs))
    for call in connection.calls():
        connection.send(release.answer(call))
    return 0


def _open(bundle: VerifiedBundle, *, notes_needs: bool) -> "LoadedRelease":
    # Imported once the bundle is verified: a refusal need not wait for pandas. And before the
    # release's code is on the path, where its modules could stand in for what the worker needs.
    try:
        from triune.serving.release import open_release  # noqa: PLC0415 - as said above
    except ModuleNotFoundError as error:
        raise ModelError(
            f"running a model needs {error.name}, which is not installed: "
            "`pip install 'triune[sklearn]'`"
        ) from error
    return open_release(bundle, notes_needs=notes_needs)


def _spare_the_collector() -> None:
    """Have garbage looked for less often: little of what a request leaves behind has cycles.

    What was loaded stays, and need not be looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)


def _parse_arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="the folder to run")
    parser.add_argument("--manifest", required=True, help="sha256 of its manifest")
    parser.add_argument(
        "--connection", type=int, required=True, help="descriptor of the socket to answer on"
    )
    parser.add_argument(
        "--lifeline", type=int, required=True, help="descriptor of the socket to live by"
    )
    parser.add_argument("--memory", type=int, help="bytes that it may allocate")
    parser.add_argument(
        "--notes-needs", action="store_true", help="note which modules its model needs"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
