"""The controller of a project as a process in the background, known by the lease that it holds."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Protocol

from triune.adapters.process import launch_detached, said_since
from triune.domain.errors import TriuneError

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0

_POLL_S: Final = 0.02


class Lease(Protocol):
    """What one controller of a project holds at a time."""

    def is_held(self) -> bool:
        """Tell whether somebody holds it."""

    def holder(self) -> int | None:
        """Tell which process does; None where none does, or it has not said."""


class ControllerProcess:
    """Starts and stops `python -m triune.controller` for the project at ``root``."""

    def __init__(self, root: Path, *, lease: Lease, log: Path) -> None:
        self._root = root
        self._lease = lease
        self._log = log

    def is_running(self) -> bool:
        """Tell whether a controller works in the project."""
        return self._lease.is_held()

    def start(self) -> None:
        """Start one, and wait until it holds the lease.

        Raises
        ------
        TriuneError
            It ended at once; the message says why.
        """
        began = self._log.stat().st_size if self._log.exists() else 0
        # -P: without it a module of the project's would be taken for one of Triune's.
        command = [sys.executable, "-P", "-m", "triune.controller"]
        process = launch_detached(command, folder=self._root, log=self._log)
        deadline = monotonic() + START_TIMEOUT_S
        while self._lease.holder() != process.pid:
            if process.poll() is not None:
                if self.is_running():
                    # Somebody else was faster.
                    return
                raise TriuneError(
                    f"the controller ended as it was started: {said_since(self._log, began)}"
                )
            if monotonic() > deadline:
                raise TriuneError(
                    f"the controller does not answer, {START_TIMEOUT_S:g} s after it was started; "
                    f"see {self._log}"
                )
            sleep(_POLL_S)

    def stop(self) -> None:
        """Have the one that works here end; nothing happens where none does.

        Raises
        ------
        TriuneError
            It goes on all the same.
        """
        pid = self._lease.holder()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = monotonic() + STOP_TIMEOUT_S
        while self.is_running():
            if monotonic() > deadline:
                raise TriuneError(
                    f"the controller (process {pid}) was told to stop and goes on; "
                    f"see {self._log}, and end it by hand"
                )
            sleep(_POLL_S)
