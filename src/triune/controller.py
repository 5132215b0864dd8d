"""`python -m triune.controller`: moves the rollouts of a project, and has the traffic follow.

One process, with a thread for each environment: what takes its time in one must not keep another
from rolling back. It may be killed at any moment; the traffic goes on without it, and the next one
goes on where it was.
"""

import logging
import signal
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Final

from triune.bootstrap import conductor, controller_lease, open_project
from triune.domain.errors import TriuneError, UsageError
from triune.domain.project import EnvironmentSpec
from triune.operations.upkeep import require_environments

BUSY_S: Final = 0.05
IDLE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
USAGE_EXIT: Final = 2
FAULT_EXIT: Final = 4

_log = logging.getLogger(__name__)


def main() -> int:
    """Run for the project in the working directory until told to stop; return the exit code."""
    try:
        run_here(Path.cwd())
    except TriuneError as fault:
        _log.error("%s", fault)
        return USAGE_EXIT if isinstance(fault, UsageError) else FAULT_EXIT
    return 0


def run_here(folder: Path) -> None:
    """Move the rollouts of the project of a folder until SIGINT or SIGTERM; the traffic goes on.

    To be called from the main thread, of a process that ends soon after.

    Raises
    ------
    BusyError
        Another controller does so already.
    UsageError
        There is no project, or it names no environment.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_project(folder) as context:
        root, environments = context.root, require_environments(context)
    with controller_lease(root).hold(progress=_log.info, wait=False):
        _log.info("moving the rollouts of %s", ", ".join(each.name for each in environments))
        threads = [
            Thread(target=_follow, args=(root, each, stop), name=each.name) for each in environments
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _log.info("ended; the traffic goes on: `triune down` stops it")


def _follow(root: Path, environment: EnvironmentSpec, stop: Event) -> None:
    """Tick for one environment; what goes wrong is told and tried again."""
    pause_s = IDLE_S
    while not stop.is_set():
        try:
            with open_project(root) as context:
                moving = conductor(context, environment, report=_log.info)
                while not stop.is_set():
                    ticked = moving.tick()
                    pause_s = IDLE_S
                    stop.wait(BUSY_S if ticked.is_busy else IDLE_S)
                moving.close()
        # One environment's fault must not end the others.
        except Exception as fault:  # noqa: BLE001 - as said above
            if isinstance(fault, TriuneError):
                _log.error("%s: %s: %s", environment.name, fault.code, fault)
            else:
                _log.exception("%s: Triune broke on this; it is tried again", environment.name)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            stop.wait(pause_s)


if __name__ == "__main__":
    sys.exit(main())
