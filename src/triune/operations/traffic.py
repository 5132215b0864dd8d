"""Has an environment's traffic process do what the ledger says: lay out, run, order."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from triune.domain.errors import BlobChangedError, BlobMissingError, UnknownReleaseError
from triune.domain.projection import ReleaseRecord
from triune.domain.rollout.convergence import Traffic, next_orders
from triune.domain.rollout.standing import Standing
from triune.operations.context import Context
from triune.operations.releases import lay_out_bundle, load_manifest
from triune.ports import TrafficRouter

RECENT: Final = 2_000
RECENT_S: Final = 60.0
FEWEST_RECENT: Final = 20


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


def converge(
    context: Context, standing: Standing, router: TrafficRouter, traffic: Traffic
) -> Convergence:
    """Go one step towards what is wanted; to be repeated until it is done.

    Raises
    ------
    StoreError
        The store cannot be read, or nothing can be written.
    TrafficError
        The traffic process went away meanwhile.
    """
    if standing.leading is None:
        return Convergence(is_done=True, failed={}, lost={})
    orders = next_orders(standing.leading.routing, traffic)
    lost: dict[str, str] = {}
    if orders.run is not None:
        bundles = {}
        for release in sorted(orders.run):
            try:
                bundles[release] = router.lay_out(release, partial(_fill, context, release))
            except (BlobMissingError, BlobChangedError, UnknownReleaseError) as error:
                lost[release] = str(error)
        router.run(bundles)
    if orders.apply is not None:
        router.apply(orders.apply)
    return Convergence(is_done=orders.is_followed, failed=orders.failed, lost=lost)


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


def _fill(context: Context, release: str, folder: Path) -> None:
    record = context.ledger.find(ReleaseRecord, release)
    if record is None:
        raise UnknownReleaseError(
            f"release {release[:12]} is to serve, and the ledger does not know it; see "
            "`triune audit verify`"
        )
    lay_out_bundle(context.store, load_manifest(context, record), folder)
