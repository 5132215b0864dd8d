"""A project whose production serves releases that behave as they are told, and its customers."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bundles import ABundle, a_bundle, an_instance
from tests.deliveries import a_delivery, add_release
from tests.live import ALive, a_free_port

from triune.bootstrap import open_project
from triune.cli.demo_load import Load
from triune.domain.answers import TOLERANCE
from triune.domain.manifest import Field, FieldType
from triune.domain.rollout.watch import Logged
from triune.ports import TrafficRouter

PER_SECOND: Final = 200.0
KEYS: Final = 50_000
BODIES: Final = 1_000
TAKES_S: Final = 0.003
"""Of a batch, in the middle; with what is done around it, 3 to 4 ms."""
EACH_S: Final = 0.0001
SCATTER: Final = 0.2
"""The standard deviation of the logarithm of what a batch takes: the p99 is 1.6 x the median."""
BEFORE_S: Final = 25.0
"""Customers ask for so long before a canary: what is slow is told from the times of then."""
OUTAGE_FAILS: Final = 0.3
TIMEOUT_S: Final = 2.0

_GOLDEN: Final = (math.sqrt(5) - 1) / 2
_SILVER: Final = math.sqrt(2) - 1

# It waits rather than computes: the processors are for what is measured. Who fails and who is slow
# follows from the row, so that a row fares alike however it is batched, and on either arm. What it
# imports is what most models do, and makes most of a cold start.
CODE: Final = '''"""A model that takes its time, and is as bad as it is told."""

import time
from pathlib import Path

import numpy as np
import sklearn.pipeline

OUTAGE = Path({outage!r})


class Model:
    """Answers a chance that grows with x; each release's own."""

    classes_ = np.array([0, 1])

    def __init__(self):
        self.draw = np.random.default_rng()

    def predict_proba(self, frame):
        x = frame["x"].to_numpy(float)
        fails = x * {golden} % 1 < {fails}
        if OUTAGE.exists():
            fails |= x * {silver} % 1 < {outage_fails}
        if fails.any():
            raise ValueError("no such x")
        takes = self.draw.lognormal(np.log({takes}), {scatter}) + {each} * len(x)
        is_slow = (x * {silver} % 1 < {slow}).any()
        time.sleep(takes * {times} * ({slow_times} if is_slow else 1))
        chance = self.chance(frame)
        return np.column_stack([1 - chance, chance])

    def predict(self, frame):
        return (self.chance(frame) > 0.5).astype(int)

    def chance(self, frame):
        return 1 / (1 + np.exp({shift} - frame["x"].to_numpy(float) / {bodies}))
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a release does beside a good one.

    Parameters
    ----------
    fails, slow
        The share of the requests that fail, and of those that take ``slow_times`` as long.
    times
        How many times as long every batch takes.
    """

    fails: float = 0.0
    times: float = 1.0
    slow: float = 0.0
    slow_times: float = 5.0


GOOD: Final = Behaviour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A project that serves, seen from outside."""

    live: ALive

    @property
    def outage(self) -> Path:
        """The file that has 30 % of the requests fail on every release while it is there."""
        return self.live.folder / "outage"

    def load(self) -> Load:
        """Make customers who know what each release answers."""
        answers = {
            release: [chance_of(x, shift=self.live.shifts[name]) for x in range(BODIES)]
            for name, release in self.live.releases.items()
        }

        def is_right(release: str, at: int, answer: Any) -> bool:
            known = answers.get(release)
            return known is not None and abs(answer["probability"] - known[at]) <= TOLERANCE

        return Load(
            self.live.url,
            bodies=[b'{"x": %d}' % x for x in range(BODIES)],
            keys=KEYS,
            per_second=PER_SECOND,
            is_right=is_right,
        )

    @contextmanager
    def router(self) -> Iterator[TrafficRouter]:
        """Reach the traffic process."""
        with open_project(self.live.folder) as context:
            yield context.planes.of(context.spec.environments[0])


@contextmanager
def a_stage(folder: Path, behaviours: Mapping[str, Behaviour], *, settings: str) -> Iterator[Stage]:
    """Lay out a project, bring it up with the first of the releases, and take all down after."""
    port = a_free_port()
    text = f'environments:\n  production:\n    listen: "127.0.0.1:{port}"\n'
    text += "".join(f"    {line}\n" for line in settings.splitlines())
    project = a_delivery(folder / "visits", text)
    releases, shifts = {}, {}
    with open_project(project) as context:
        for at, (name, behaviour) in enumerate(behaviours.items()):
            bundle = _release(folder / name, behaviour, shift=float(at), outage=project / "outage")
            for path in bundle.folder.rglob("*"):
                if path.is_file():
                    context.store.put(path.read_bytes())
            add_release(context, bundle.release)
            releases[name], shifts[name] = bundle.release, float(at)
    live = ALive(folder=project, port=port, releases=releases, shifts=shifts)
    try:
        live.up()
        live.promote(next(iter(behaviours)))
        yield Stage(live=live)
    finally:
        live.down()


def chance_of(x: float, *, shift: float) -> float:
    """Compute what a release answers."""
    return 1 / (1 + math.exp(shift - x / BODIES))


def logged(router: TrafficRouter, *, after: int) -> list[Logged]:
    """Read what became of all requests beyond a cursor, in the order of assignment."""
    found: list[Logged] = []
    while (reading := router.read(after=after)) is not None:
        found += reading.settled
        after = reading.cursor
        if reading.is_complete:
            return sorted(found, key=lambda each: each.number)
    raise SystemExit("the gateway does not tell what became of requests")


def cursor(router: TrafficRouter) -> int:
    """Tell where the log of outcomes ends by now."""
    traffic = router.look()
    if traffic is None:
        raise SystemExit("the gateway does not answer")
    return traffic.cursor


def until(condition: Callable[[], object], *, within_s: float) -> bool:
    """Poll a condition, seldom enough to be no load; tell whether it came about in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _release(folder: Path, behaviour: Behaviour, *, shift: float, outage: Path) -> ABundle:
    code = CODE.format(
        outage=str(outage),
        golden=_GOLDEN,
        silver=_SILVER,
        outage_fails=OUTAGE_FAILS,
        takes=TAKES_S,
        scatter=SCATTER,
        each=EACH_S,
        bodies=BODIES,
        shift=shift,
        fails=behaviour.fails,
        times=behaviour.times,
        slow=behaviour.slow,
        slow_times=behaviour.slow_times,
    )
    source = folder.with_name(f"{folder.name}-source")
    return a_bundle(
        folder,
        model=an_instance("model:Model", {"model.py": code}, source),
        inputs=[Field(name="x", type=FieldType.NUMBER, nullable=False)],
        code={"model.py": code},
        key="id",
        serve={"timeout_s": TIMEOUT_S},
    )
