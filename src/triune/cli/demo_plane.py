"""The demo's controller and traffic processes: on free ports, and stopped however the demo ends."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from triune.cli.demo_stage import TRIUNE, DemoFailedError, Stage, signals_held

SETTINGS: Final = "triune.yaml"
MIN_SECONDS, BAKE_SECONDS = 6, 6
"""How long a step, and the last one, takes at least; five and ten minutes where none is said."""

# Standard input ends with the demo, whatever ended it: then the command is run. What that says is
# kept back, as there may be nobody left to hear it.
_AT_END: Final = """\
import subprocess, sys
sys.stdin.read()
ended = subprocess.run(sys.argv[1:], capture_output=True, text=True)
sys.stderr.write(ended.stderr if ended.returncode else "")
sys.exit(ended.returncode)
"""


@contextmanager
def on_air(stage: Stage) -> Iterator[str]:
    """Bring up what serves the project, with canary rollouts; yields production's address."""
    staging, production = _free_ports(2)
    stage.edit(SETTINGS, "127.0.0.1:8701", f"127.0.0.1:{staging}")
    stage.edit(SETTINGS, "127.0.0.1:8702", f"127.0.0.1:{production}")
    stage.edit(
        SETTINGS,
        "approvals: {required: 1}\n    strategy: instant",
        "approvals: {required: 1}\n    strategy: canary\n"
        f"    step: {{min_seconds: {MIN_SECONDS}, bake_seconds: {BAKE_SECONDS}}}",
    )
    stage.commit("Go into production step by step, under live traffic")
    stage.say(
        f"For the demo alone a step takes {MIN_SECONDS} s at least in place of 300, and the last "
        f"{BAKE_SECONDS} s in place of 600.\nAlpha, the error budget and the evidence that is "
        "asked for are those of any other project."
    )
    with _taken_down(stage):
        # A controller on its way up is not yet there to be taken down.
        with signals_held():
            up = stage.triune("up")
        yield next(each["url"] for each in up["environments"] if each["name"] == "production")


@contextmanager
def _taken_down(stage: Stage) -> Iterator[None]:
    """Have the project taken down at the end, by a process that even a killed demo leaves."""
    with ExitStack() as at_end:
        with signals_held():
            guard = subprocess.Popen(
                [sys.executable, "-c", _AT_END, *TRIUNE, "down"],
                cwd=stage.folder,
                env=stage.environment,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            at_end.callback(_have_run, guard, stage)
        yield
    if guard.returncode:
        raise DemoFailedError("down", f"exit code {guard.returncode}")


def _have_run(guard: "subprocess.Popen[bytes]", stage: Stage) -> None:
    with signals_held():
        try:
            stage.say("\n$ triune down")
        finally:
            guard.communicate()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as at_end:
        listeners = [
            at_end.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]
