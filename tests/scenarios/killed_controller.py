"""Runs a project's controller again and again; each ends with SIGKILL at the next new point.

A point is right before or right after whatever changes what another process can see: events are
appended, a release is laid out, the gateway is started, told what to run or where requests go,
evidence is written down, bundles are removed. The points that were met are in the file that is
the first argument, so each kills once; what evidence was written down is in the second.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from triune import controller
from triune.adapters.ledger.sql import SqlLedger
from triune.adapters.traffic.gateway import GatewayRouter
from triune.adapters.watches import FileWatchMemory
from triune.operations import traffic

met, kept = Path(sys.argv[1]), Path(sys.argv[2])


def come_to(point: str) -> None:
    """Die at a point where nobody died before."""
    if point in met.read_text().splitlines():
        return
    with met.open("a") as file:
        file.write(f"{point}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def killed_around(
    owner: Any, name: str, named: Callable[..., str], note: Callable[..., None] = lambda *_: None
) -> None:
    """Have what an owner does be a point before and a point after it."""
    whole = getattr(owner, name)

    def around(*arguments: Any, **named_arguments: Any) -> Any:
        point = named(*arguments)
        come_to(f"before {point}")
        done = whole(*arguments, **named_arguments)
        note(*arguments)
        come_to(f"after {point}")
        return done

    setattr(owner, name, around)


def appended(_: Any, drafts: Any) -> str:
    states = [each.data["state"]["version"] for each in drafts if "state" in each.data]
    return f"append {' '.join(each.kind for each in drafts)} {states}"


def note_evidence(_: Any, environment: str, watch: Any) -> None:
    with kept.open("a") as file:
        file.write(f"{json.dumps({'rollout': watch['rollout'], 'evidence': watch['evidence']})}\n")


def watched(_: Any, environment: str, watch: Any) -> str:
    return f"keep {watch['rollout']} {(watch['evidence'] or {}).get('step')}"


def be_killed_around_everything() -> None:
    killed_around(SqlLedger, "append", appended)
    killed_around(GatewayRouter, "start", lambda *_: "start")
    killed_around(
        GatewayRouter, "run", lambda _, bundles: f"run {[each[:4] for each in sorted(bundles)]}"
    )
    killed_around(GatewayRouter, "apply", lambda _, routing: f"apply {routing.token}")
    killed_around(FileWatchMemory, "keep", watched, note_evidence)
    killed_around(
        traffic, "lay_out_bundle", lambda _, __, draft: f"lay out {draft.name.partition('.')[0]}"
    )
    killed_around(
        GatewayRouter,
        "keep_only",
        lambda _, releases: f"keep only {sorted(each[:4] for each in releases)}",
    )


def live_once() -> int:
    """Run a controller, and return the status that it ended with."""
    child = os.fork()
    if child == 0:
        os._exit(controller.main())
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    be_killed_around_everything()
    met.touch()
    while os.WIFSIGNALED(status := live_once()):
        pass
    sys.exit(os.waitstatus_to_exitcode(status))
