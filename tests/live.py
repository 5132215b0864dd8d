"""Projects that serve: releases made by hand in the store, controller and gateways as processes."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deliveries import a_delivery, add_release, prune
from tests.gateways import a_release, answer_of, workers_of
from tests.processes import is_alive, wait_until
from tests.projects import triune

from triune.bootstrap import controller_lease, open_project
from triune.cli.demo_load import Load
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Rollout
from triune.operations import approvals
from triune.operations.environments import observe

PRODUCTION = """environments:
  production:
    listen: "127.0.0.1:{port}"
    strategy: {strategy}
    {more}
    step: {{{step}}}
"""
STEP = {"min_seconds": 0, "min_requests": 50, "deadline_seconds": 600, "bake_seconds": 0}
BODIES = [b'{"x": %d}' % x for x in range(20)]


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True, kw_only=True)
class ALive:
    """A project whose production serves, or may; ``releases`` are ids by their names."""

    folder: Path
    port: int
    releases: dict[str, str]
    shifts: dict[str, float]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> Path:
        return self.folder / ".triune" / "environments" / "production"

    @property
    def controller(self) -> int | None:
        return controller_lease(self.folder).holder()

    @property
    def gateway(self) -> int:
        return int((self.environment / "gateway.lock").read_text())

    @property
    def log(self) -> str:
        logs = sorted((self.folder / ".triune" / "logs").glob("*.log"))
        return "\n".join(f"--- {each.name}\n{each.read_text()}" for each in logs)

    def workers(self, name: str) -> list[int]:
        """List the live workers of a release."""
        admin = self.environment / "admin.sock"
        return workers_of(self.gateway, self.releases[name], admin=admin)

    def standing(self) -> Standing:
        with open_project(self.folder) as context:
            return observe(context, "production")

    def rollout(self) -> Rollout:
        found = self.standing().leading
        assert found
        return found

    def traffic(self) -> Any:
        with open_project(self.folder) as context:
            return context.planes.of(context.spec.environments[0]).look()

    def is_followed(self) -> bool:
        """Tell whether the traffic process does what the ledger says."""
        rollout, traffic = self.rollout(), self.traffic()
        return bool(traffic and traffic.applied == rollout.awaited) and self.rollout() == rollout

    def await_step(self, step: int) -> Rollout:
        """Wait until a step is in force, or the rollout is over."""

        def is_there() -> bool:
            rollout = self.rollout()
            return not rollout.is_open or (rollout.step >= step and rollout.is_step_in_force)

        wait_until(is_there)
        return self.rollout()

    def pause(self) -> None:
        """Pause what is open at once; the command takes a moment to start."""
        with open_project(self.folder) as context:
            approvals.pause(context, approvals.find_rollout(context, self.rollout().id))

    def prune(self, name: str) -> None:
        """Record that a release was pruned, and remove what it was made of."""
        with open_project(self.folder) as context:
            prune(context, self.releases[name])
        self.remove_bytes(name)

    def remove_bytes(self, name: str) -> None:
        """Remove a release's manifest from the store."""
        release = self.releases[name]
        (self.folder / ".triune" / "blobs" / release[:2] / release).unlink()

    def tell(self, *arguments: str) -> Any:
        """Run a command, whatever it exits with, and read what it prints."""
        done = triune(self.folder, *arguments, "--json")
        return json.loads(done.stdout)

    def up(self) -> None:
        done = triune(self.folder, "up", "--json")
        assert done.returncode == 0, f"{done.stderr}\n{self.log}"

    def down(self) -> None:
        with suppress(Exception):
            triune(self.folder, "down")
        for pid in (self.controller, self._gateway_or_none()):
            if pid is not None and is_alive(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def promote(self, name: str) -> Any:
        """Promote a release; one that is to be watched first is not in yet (exit code 3)."""
        release = self.releases[name]
        done = triune(self.folder, "promote", release, "--to", "production", "--json")
        assert done.returncode in {0, 3}, f"{done.stderr}\n{self.log}"
        return json.loads(done.stdout)

    def await_end(self, *, deadline_s: float = 120.0) -> Rollout:
        """Wait until nothing is open and the traffic follows."""

        def has_ended() -> bool:
            rollout, traffic = self.rollout(), self.traffic()
            return (
                not rollout.is_open
                and traffic is not None
                and traffic.applied.token == rollout.token
            )

        wait_until(has_ended, deadline_s=deadline_s)
        return self.rollout()

    def load(self, *, per_second: float = 300.0, keys: int = 50_000) -> Load:
        """Make customers who know what each release answers."""
        answers = {
            release[:12]: [answer_of(x, shift=self.shifts[name]) for x in range(len(BODIES))]
            for name, release in self.releases.items()
        }

        def is_right(release: str, at: int, answer: Any) -> bool:
            known = answers.get(release[:12])
            return known is not None and abs(answer["probability"] - known[at]) <= 1e-6

        return Load(self.url, bodies=BODIES, keys=keys, per_second=per_second, is_right=is_right)

    def _gateway_or_none(self) -> int | None:
        try:
            return self.gateway
        except (OSError, ValueError):
            return None


@contextmanager
def a_live_project(
    folder: Path,
    modes: dict[str, str],
    *,
    strategy: str = "canary",
    more: str = "steps: [5, 25, 100]",
    golden: bytes | None = None,
    **step: float | str,
) -> Iterator[ALive]:
    """Lay out a project with releases that behave as their modes say, and take all down after.

    What is given of ``step`` takes the place of what is usual here.
    """
    port = a_free_port()
    pace = ", ".join(f"{name}: {value}" for name, value in {**STEP, **step}.items())
    settings = PRODUCTION.format(port=port, strategy=strategy, more=more, step=pace)
    project = a_delivery(folder / "visits", settings)
    releases, shifts = {}, {}
    with open_project(project) as context:
        for at, (name, mode) in enumerate(modes.items()):
            shifts[name] = float(at)
            bundle = a_release(
                folder / name, mode=mode, shift=float(at), timeout_s=2.0, golden=golden
            )
            for path in bundle.folder.rglob("*"):
                if path.is_file():
                    context.store.put(path.read_bytes())
            add_release(context, bundle.release)
            releases[name] = bundle.release
    live = ALive(folder=project, port=port, releases=releases, shifts=shifts)
    try:
        yield live
    finally:
        live.down()
