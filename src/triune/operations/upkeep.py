"""Brings up what serves a project's environments and moves its rollouts, and takes it down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from triune.domain.errors import TrafficError, TriuneError, UsageError
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.convergence import Traffic
from triune.operations.context import Context
from triune.operations.environments import observe
from triune.ports import ControllerProcess, Progress, TrafficRouter

POLL_S: Final = 0.05
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """An environment as its traffic process stands.

    Parameters
    ----------
    url
        Where requests are answered; None where nothing answers.
    state
        For people: what it does, or what keeps it from that.
    """

    environment: str
    listen: str
    url: str | None
    champion: str | None
    candidate: str | None
    weight_pct: float
    state: str


def bring_up(
    context: Context,
    controller: ControllerProcess,
    *,
    wait: Callable[[float], None],
    progress: Progress,
) -> tuple[Plane, ...]:
    """Start what serves, unless it runs, and wait until every environment's traffic follows.

    Where a traffic process cannot be started, as where its port is taken, nothing is left started.

    Parameters
    ----------
    wait
        Lets so many seconds pass.

    Raises
    ------
    UsageError
        The project names no environment.
    TrafficError
        The traffic of an environment does not follow.
    """
    environments = require_environments(context)
    if controller.is_running():
        progress("the controller runs already")
    else:
        _start_traffic(context, environments, progress=progress)
        progress("starting the controller")
        controller.start()
    for environment in environments:
        _await(context, environment, controller, wait=wait, progress=progress)
    return planes(context)


def take_down(
    context: Context, controller: ControllerProcess, *, progress: Progress
) -> tuple[Plane, ...]:
    """Stop the controller, and then the traffic processes: in this order, or it starts them anew.

    Raises
    ------
    TriuneError
        One of them goes on all the same.
    """
    if controller.is_running():
        progress("stopping the controller")
        controller.stop()
    for environment in context.spec.environments:
        router = context.planes.of(environment)
        if router.is_running():
            progress(f"stopping the traffic of {environment.name}")
            router.stop()
    for name, router in context.planes.others({each.name for each in context.spec.environments}):
        progress(f"stopping the traffic of {name}, which triune.yaml names no more")
        router.stop()
    return planes(context)


def planes(context: Context) -> tuple[Plane, ...]:
    """Tell how the traffic process of each environment stands."""
    return tuple(_plane(context, each) for each in context.spec.environments)


def require_environments(context: Context) -> tuple[EnvironmentSpec, ...]:
    """Return the project's environments.

    Raises
    ------
    UsageError
        There is none.
    """
    if not context.spec.environments:
        raise UsageError(
            "there is nothing to bring up: triune.yaml names no environment; add one under "
            "`environments:`, as `production: {listen: '127.0.0.1:8702'}`"
        )
    return context.spec.environments


def _start_traffic(
    context: Context, environments: Sequence[EnvironmentSpec], *, progress: Progress
) -> None:
    """Start the traffic processes, all or none; the controller finds them running."""
    started: list[TrafficRouter] = []
    for environment in environments:
        router = context.planes.of(environment)
        if router.is_running():
            continue
        progress(f"starting the traffic of {environment.name}")
        try:
            router.start()
        except TriuneError:
            for each in started:
                each.stop()
            raise
        started.append(router)


def _await(
    context: Context,
    environment: EnvironmentSpec,
    controller: ControllerProcess,
    *,
    wait: Callable[[float], None],
    progress: Progress,
) -> None:
    router = context.planes.of(environment)
    began = context.clock.now()
    said = ""
    while True:
        traffic = router.look()
        state = _state(context, environment, traffic)
        if traffic is not None and _follows(context, environment, traffic):
            return
        if state != said:
            said = state
            progress(f"{environment.name}: {state}")
        if not controller.is_running():
            raise TrafficError(
                f"the controller ended while the traffic of {environment.name} was brought up; "
                "see its log in .triune/logs"
            )
        if (context.clock.now() - began).total_seconds() > PATIENCE_S:
            raise TrafficError(
                f"the traffic of {environment.name} has not come up within {PATIENCE_S:g} s: "
                f"{state}; see the logs in .triune/logs"
            )
        wait(POLL_S)


def _plane(context: Context, environment: EnvironmentSpec) -> Plane:
    traffic = context.planes.of(environment).look()
    champion = observe(context, environment.name).champion
    candidate = traffic.routing.candidate if traffic else None
    if candidate == champion:
        # It was promoted; the one before is kept warm beside it.
        candidate = None
    return Plane(
        environment=environment.name,
        listen=environment.listen,
        url=traffic.url if traffic else None,
        champion=champion,
        candidate=candidate,
        weight_pct=traffic.applied.split.candidate if traffic and candidate else 0.0,
        state=_state(context, environment, traffic),
    )


def _follows(context: Context, environment: EnvironmentSpec, traffic: Traffic) -> bool:
    """Tell whether requests go where the ledger says, or nothing is to serve yet."""
    rollout = observe(context, environment.name).leading
    if rollout is None or rollout.serving is None:
        return True
    return traffic.applied == rollout.awaited or traffic.breaker is not None


def _state(context: Context, environment: EnvironmentSpec, traffic: Traffic | None) -> str:
    if traffic is None:
        return "not running"
    failed = [each for each in traffic.releases if each.state == "failed"]
    if failed:
        return f"release {failed[0].release[:12]} does not run: {failed[0].reason}"
    if not _follows(context, environment, traffic):
        return "a release is being started"
    if traffic.routing.champion is None and traffic.routing.candidate is None:
        return "no release yet"
    return "serving"
