"""The rollback drill: champion, candidate, champion again, on a traffic process of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from triune.domain.canonical import Json, canonical_json, sha256
from triune.domain.errors import StoreError, TrafficError
from triune.domain.evidence import NO_CHAMPION, Judgement, Layer
from triune.domain.integration_checks import (
    judge_drill,
    judge_drill_failed,
    judge_drill_impossible,
    judge_no_drill,
)
from triune.domain.manifest import Manifest
from triune.domain.projection import ReleaseRecord
from triune.domain.release import short
from triune.domain.rollout.routing import FencingToken, Routing
from triune.domain.traffic import TrafficSplit
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.cutting import load_golden
from triune.operations.gates import find_champion
from triune.operations.releases import lay_out_bundle, load_manifest
from triune.ports import Progress, TrafficRouter

NAME: Final = "rollback drill"
MOST_S: Final = 60.0
"""A rollback takes no longer, whatever happens."""
START_S: Final = 120.0

_FORMAT: Final = 1
_POLL_S: Final = 0.002


def drill_check(context: Context, release: ReleaseRecord, manifest: Manifest) -> Check | None:
    """Make the check of a release; None where no environment could have a champion."""
    champion = find_champion(context).release
    if not context.spec.environments or not manifest.golden:
        return None
    judge: Callable[[Progress], Judgement]
    if champion is None:
        judge = _nothing_to_go_back_to(f"{NO_CHAMPION} to go back to yet")
    elif champion.id == release.id:
        judge = _nothing_to_go_back_to(f"release {short(release.id)} is the champion itself")
    else:
        drill = _Drill(context=context, champion=champion, release=release, manifest=manifest)
        judge = drill.judge
    return Check(
        layer=Layer.INTEGRATION,
        name=NAME,
        digest=lambda: _digest(context, champion, release),
        judge=judge,
    )


def _nothing_to_go_back_to(why: str) -> Callable[[Progress], Judgement]:
    return lambda _: judge_no_drill(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drill:
    """What is needed to try a rollback."""

    context: Context
    champion: ReleaseRecord
    release: ReleaseRecord
    manifest: Manifest

    def judge(self, progress: Progress) -> Judgement:
        progress(f"rolling {short(self.release.id)} out and back")
        with self.context.scratch.folder(label=self.release.id) as folder:
            try:
                manifests = {
                    self.champion.id: load_manifest(self.context, self.champion),
                    self.release.id: self.manifest,
                }
                request = load_golden(self.context, self.manifest.golden or "")[0]
                bundles = {name: folder / name for name in manifests}
                for name, manifest in manifests.items():
                    bundles[name].mkdir()
                    lay_out_bundle(self.context.store, manifest, bundles[name])
            except StoreError as error:
                return judge_drill_impossible(
                    f"the champion {short(self.champion.id)} and the candidate cannot be laid out "
                    f"side by side: {error}"
                )
            with self.context.planes.apart(folder / "gateway") as router:
                try:
                    router.run(bundles)
                    self._await_workers(router)
                    self._order(router, 1, request)
                    forward_s = self._order(router, 2, request, candidate=self.release.id)
                    back_s = self._order(router, 3, request)
                except TrafficError as error:
                    return judge_drill_failed(str(error))
        return judge_drill(forward_s=forward_s, back_s=back_s, most_s=MOST_S)

    def _await_workers(self, router: TrafficRouter) -> None:
        deadline = monotonic() + START_S
        while True:
            traffic = router.look()
            releases = traffic.releases if traffic else ()
            for each in releases:
                if each.state == "failed":
                    raise TrafficError(
                        f"release {short(each.release)} cannot be run beside another: {each.reason}"
                    )
            if releases and all(each.state == "ready" for each in releases):
                return
            if monotonic() > deadline:
                raise TrafficError(f"the releases were not ready within {START_S:g} s")
            sleep(10 * _POLL_S)

    def _order(
        self, router: TrafficRouter, number: int, request: Json, *, candidate: str | None = None
    ) -> float:
        """Order who answers, and tell how long it took until that release did.

        The request is one that the candidate takes; that the champion refuses it is an answer too.
        """
        began = monotonic()
        router.apply(
            Routing(
                token=FencingToken(term=1, number=number),
                rollout="drill",
                champion=self.champion.id,
                candidate=candidate,
                split=TrafficSplit.giving(100.0 if candidate else 0.0),
                is_shadow=False,
            )
        )
        wanted = candidate or self.champion.id
        while (answered := router.answered_by(request)) != wanted:
            if monotonic() > began + MOST_S:
                raise TrafficError(
                    f"release {short(wanted)} was to answer, and "
                    f"{short(answered) if answered else 'none'} did {MOST_S:g} s later"
                )
            sleep(_POLL_S)
        return monotonic() - began


def _digest(context: Context, champion: ReleaseRecord | None, release: ReleaseRecord) -> str:
    machine = context.installation.machine()
    document = {
        "check": _FORMAT,
        "champion": champion and champion.id,
        "release": release.id,
        "machine": [machine.python, machine.platform, machine.hardware],
        "packages": context.installation.versions(),
    }
    return sha256(canonical_json(document))
