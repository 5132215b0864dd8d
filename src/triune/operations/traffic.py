"""Has an environment's traffic process do what the ledger says: lay out, run, order."""

import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triune.domain.errors import BlobChangedError, BlobMissingError, UnknownReleaseError
from triune.domain.projection import ReleaseRecord
from triune.domain.rollout.routing import Routing
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Rollout
from triune.operations.context import Context
from triune.operations.releases import lay_out_bundle, load_manifest
from triune.ports import Traffic, TrafficRouter

RECENT: Final = 2_000
RECENT_S: Final = 60.0
FEWEST_RECENT: Final = 20

_UNFINISHED: Final = ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How far the traffic process does what is wanted.

    Parameters
    ----------
    is_done
        Whether the order wanted is in force, and nothing runs that is not needed.
    failed
        Why a release that is wanted does not run, by its id; it may run at another attempt.
    lost
        Why one that is wanted can never run: what it is made of is gone.
    """

    is_done: bool
    failed: Mapping[str, str]
    lost: Mapping[str, str]


def leading(standing: Standing) -> Rollout | None:
    """Return the rollout that has the say over an environment's traffic: that of the last token."""
    return max(standing.rollouts, key=lambda each: each.token, default=None)


def converge(
    context: Context, standing: Standing, router: TrafficRouter, traffic: Traffic
) -> Convergence:
    """Go one step towards what is wanted; to be repeated until it is done.

    What runs goes on until the new order is in force, and only then ends what nobody needs.

    Raises
    ------
    StoreError
        The store cannot be read, or nothing can be written.
    TrafficError
        The traffic process went away meanwhile.
    """
    rollout = leading(standing)
    if rollout is None:
        return Convergence(is_done=True, failed={}, lost={})
    wanted = rollout.routing
    is_ordered = traffic.routing == wanted
    needed = _named(wanted) if is_ordered else _named(wanted) | _named(traffic.routing)
    lost: dict[str, str] = {}
    if _running(traffic) != needed or _broken(traffic, needed):
        bundles = {}
        for release in sorted(needed):
            try:
                bundles[release] = _laid_out(context, router, release)
            except (BlobMissingError, BlobChangedError, UnknownReleaseError) as error:
                lost[release] = str(error)
        router.run(bundles)
    elif is_ordered:
        return Convergence(is_done=True, failed={}, lost={})
    if not is_ordered and wanted.token > traffic.routing.token and _ready(traffic, _named(wanted)):
        router.apply(wanted)
    return Convergence(is_done=False, failed=_broken(traffic, _named(wanted)), lost=lost)


def tidy(router: TrafficRouter, traffic: Traffic) -> None:
    """Remove the bundles of what does not run; the store has them.

    For the controller alone: a command may be about to lay one out.
    """
    if not router.bundles.is_dir():
        return
    running = {each.release for each in traffic.releases}
    for folder in router.bundles.iterdir():
        if folder.name.partition(".")[0] not in running:
            _remove(folder)


def requests_per_s(router: TrafficRouter, traffic: Traffic, *, now_s: float) -> float:
    """Tell how many requests there were a second of late; 0 where there were hardly any."""
    reading = router.read(after=max(0, traffic.cursor - RECENT))
    if reading is None:
        return 0.0
    began_s = [each.assigned_at_s for each in reading.settled]
    recent = [at_s for at_s in began_s if at_s > now_s - RECENT_S]
    if len(recent) < FEWEST_RECENT:
        return 0.0
    # All that there is since the first of them, which may be less than a minute ago.
    return len(recent) / max(now_s - min(recent), 1.0)


def _named(routing: Routing) -> set[str]:
    return {release for release in (routing.champion, routing.candidate) if release is not None}


def _running(traffic: Traffic) -> set[str]:
    return {each.release for each in traffic.releases if each.state != "stopping"}


def _ready(traffic: Traffic, releases: Collection[str]) -> bool:
    return all(
        (found := traffic.find(release)) is not None and found.state == "ready"
        for release in releases
    )


def _broken(traffic: Traffic, releases: Collection[str]) -> dict[str, str]:
    return {
        each.release: each.reason or "its worker does not start"
        for each in traffic.releases
        if each.release in releases and each.state == "failed"
    }


def _laid_out(context: Context, router: TrafficRouter, release: str) -> Path:
    """Lay a release out where the traffic process finds it, whole or not at all."""
    folder = router.bundles / release
    if folder.is_dir():
        return folder
    record = context.ledger.find(ReleaseRecord, release)
    if record is None:
        raise UnknownReleaseError(
            f"release {release[:12]} is to serve, and the ledger does not know it; see "
            "`triune audit verify`"
        )
    # A command and the controller may do so side by side.
    draft = folder.with_name(f"{release}.{os.getpid()}{_UNFINISHED}")
    _remove(draft)
    draft.mkdir(parents=True)
    try:
        lay_out_bundle(context.store, load_manifest(context, record), draft)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        _remove(draft)
    return folder


def _remove(folder: Path) -> None:
    # Its folders are read-only, so that nothing is added to them by mistake.
    for path, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(path).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
