"""Sends each request to an arm, and keeps from every client that a candidate failed."""

import logging
from collections.abc import Callable
from hmac import compare_digest
from time import monotonic, time
from typing import Final, NamedTuple

from triune.domain.errors import TriuneError
from triune.domain.failures import Failure
from triune.domain.manifest import CLIENT_TIMEOUT_S
from triune.domain.refusal import PROBLEM_JSON
from triune.domain.release import SHORT, short
from triune.domain.rollout.routing import NOTHING_ORDERED, Applied, Breaker, Routing
from triune.domain.traffic import Arm, Incident, TrafficSplit, Units, unit_id
from triune.gateway.breaker import LocalBreaker
from triune.gateway.client import JSON, NO_HEADERS, RETRY_AFTER_S, Exchange, Response
from triune.gateway.fleet import Fleet, ReleaseState
from triune.gateway.lots import Lots
from triune.gateway.outcomes import Entry, OutcomeLog, Pair
from triune.gateway.release_queue import Answer, ReleaseQueue
from triune.gateway.tally import PINNED, Latencies, Tally, batch_class
from triune.gateway.timing import Timing

SHORTEST_DEADLINE_S: Final = 0.1
PATIENCE: Final = 4
"""How many times the champion's p99 a candidate may take."""
MAX_SHADOWS: Final = 16

# As strings of their own: to look the value of an enumeration's member up takes a call.
_CHAMPION: Final = str(Arm.CHAMPION)
_CANDIDATE: Final = str(Arm.CANDIDATE)
_RETRY: Final = {"retry-after": str(RETRY_AFTER_S)}

_log = logging.getLogger(__name__)


class OrderRefusedError(TriuneError):
    """An order about traffic cannot be followed; what was in force still is."""

    code = "ORDER_REFUSED"


class _Plan(NamedTuple):
    """What is in force: swapped as a whole, so that no request sees half of an order.

    After a restart it may lack an arm that the order names, and is not ready yet.
    """

    routing: Routing
    token: str
    weight: float
    champion: ReleaseQueue | None
    candidate: ReleaseQueue | None
    queues: tuple[ReleaseQueue, ...]
    timeout_s: float

    @property
    def is_in_force(self) -> bool:
        """Tell whether somebody answers as was ordered."""
        needs_champion = self.routing.champion is not None and self.weight < 1
        return self.champion is not None or not needs_champion

    @property
    def busier(self) -> ReleaseQueue | None:
        """Who has more of the traffic, where two share it."""
        if self.champion is None or self.candidate is None or not 0 < self.weight < 1:
            return None
        return self.champion if self.weight <= 0.5 else self.candidate

    @property
    def is_whole(self) -> bool:
        """Tell whether both arms are there that were ordered."""
        arms = (
            (self.champion, self.routing.champion),
            (self.candidate, self.routing.candidate),
        )
        return all(queue is not None or ordered is None for queue, ordered in arms)


class Router:
    """Follows orders about the traffic of one environment.

    Parameters
    ----------
    fleet
        The releases that run here.
    pin_token
        Lets a request say by ``X-Triune-Release`` who is to answer; without it none may.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        log: OutcomeLog,
        pin_token: str | None = None,
    ) -> None:
        self.log = log
        self.breaker = LocalBreaker()
        self.units = Units()
        self.tally = Tally()
        self.on_trip: Callable[[], None] = lambda: None
        self._fleet = fleet
        self._pin_token = pin_token
        self.timing = Timing() if fleet.has_control else None
        self._tripped: Breaker | None = None
        self._plan = self._plan_for(NOTHING_ORDERED)
        fleet.report_to(is_needed=self.names, on_ready=self.complete)
        self._shadows = 0
        self.lots = Lots()

    @property
    def champion(self) -> ReleaseQueue | None:
        """The release that answers what no other is asked; where it gets nothing, the candidate."""
        plan = self._plan
        return plan.candidate if plan.champion is None and plan.weight >= 1 else plan.champion

    @property
    def routing(self) -> Routing:
        """The last order."""
        return self._plan.routing

    def names(self, release: str) -> bool:
        """Tell whether the last order names a release."""
        return release in {self.routing.champion, self.routing.candidate}

    @property
    def tripped(self) -> Breaker | None:
        """What the breaker did since the last order, if anything."""
        return self._tripped

    @property
    def applied(self) -> Applied:
        """What is done: the last order once it is in force, but for what the breaker took back."""
        plan = self._plan
        token = plan.routing.token if plan.is_in_force else NOTHING_ORDERED.token
        return Applied(token=token, split=TrafficSplit.giving(100 * plan.weight))

    @property
    def candidate_deadline_s(self) -> float:
        """How long a candidate may take before the champion is asked instead."""
        return self.candidate_deadline(self._plan)

    def candidate_deadline(self, plan: _Plan) -> float:
        """Say how long, by a plan: not so long that the champion cannot stand in any more."""
        longest = plan.timeout_s / 2
        if plan.candidate is not None:
            longest = min(longest, plan.candidate.timeout_s)
        p99_s = self.tally.champion.p99_s
        return max(SHORTEST_DEADLINE_S, min(longest, PATIENCE * p99_s) if p99_s else longest)

    def apply(self, routing: Routing) -> None:
        """Follow an order from the next request on; one that was followed before changes nothing.

        Raises
        ------
        OrderRefusedError
            A newer one was followed, or it names a release that is not ready.
        """
        current = self._plan.routing
        if routing == current:
            self._require_ready(routing)
            return
        if routing.token <= current.token:
            raise OrderRefusedError(
                f"order {routing.token} is older than {current.token}, which is in force; "
                "read what is, and decide anew"
            )
        self._require_ready(routing)
        if routing.rollout != current.rollout:
            self.units = Units()
        if routing.champion != current.champion:
            self.tally.champion = Latencies()
        self.breaker = LocalBreaker()
        self._tripped = None
        self._follow(self._plan_for(routing))
        _log.info("follows order %s: %s", routing.token, _sentence(routing))

    def resume(self, routing: Routing, tripped: Breaker | None = None) -> None:
        """Follow an order as far as what it names is ready, and all of it once that is.

        Until its candidate is ready the champion has all requests: nobody can be blamed yet.
        """
        self._tripped = tripped
        self._follow(self._plan_for(routing))

    def complete(self) -> None:
        """Follow the last order further, as a release has become ready."""
        if not self._plan.is_whole:
            self._follow(self._plan_for(self._plan.routing))
            if self._plan.is_whole:
                _log.info("follows order %s again", self._plan.routing.token)

    def predict(self, exchange: Exchange) -> None:
        """See to it that a request is answered."""
        if exchange.head.release:
            self._predict_pinned(exchange)
            return
        plan = self._plan
        if plan.champion is None and (plan.candidate is None or plan.weight < 1):
            exchange.answer(Response.unavailable(self.absence))
            return
        _Trip(self, plan, exchange).start()

    @property
    def absence(self) -> str:
        """Say why nobody answers."""
        champion = self._plan.routing.champion
        if champion is None:
            return "no release serves here"
        return f"release {short(champion)} is being started"

    def metrics(self, *, connections: int) -> str:
        """Write counters and histograms as Prometheus reads them."""
        return self.tally.text(
            self._fleet.queues.values(), weight=self._plan.weight, connections=connections
        )

    def trip(self, plan: "_Plan") -> None:
        """Take all weight from the candidate, until something newer is ordered."""
        if self._plan is not plan or plan.routing.split.champion <= 0:
            return
        self._tripped = Breaker(
            rollout=plan.routing.rollout,
            requests=self.breaker.requests,
            failures=self.breaker.failures,
        )
        self._follow(plan._replace(weight=0.0))
        _log.warning(
            "%d of %d requests failed on the candidate: the champion has all of them until a "
            "newer order",
            self.breaker.failures,
            self.breaker.requests,
        )
        self.on_trip()

    def shadow(self, plan: "_Plan", body: bytes, entry: Entry, seen: Answer) -> None:
        """Send the candidate a copy, unless it has enough of them, and log what it made of it."""
        queue = plan.candidate
        assert queue is not None
        release = queue.name
        if self._shadows >= MAX_SHADOWS:
            self.tally.shadowed(release, "dropped")
            return
        self._shadows += 1

        def done(answer: Answer) -> None:
            self._shadows -= 1
            # That there is too much to do says nothing about the release.
            if answer.failure is Failure.OVERFLOW:
                self.tally.shadowed(release, "dropped")
                return
            pair = _pair(entry, queue.release, champion=seen, candidate=answer)
            self.log.compare(pair)
            failed = "failed" if pair.candidate_failure else "different"
            self.tally.shadowed(release, "same" if pair.is_same else failed)

        deadline = monotonic() + queue.timeout_s
        queue.submit(body, deadline=deadline, done=done, is_alone=entry.timed)

    def timed_by(self, plan: "_Plan", arm: ReleaseQueue, now: float) -> ReleaseQueue | None:
        """Say who answers a request of an arm that is due to be timed; None where it cannot be.

        Where two share the traffic, either's requests are timed by a worker that is asked seldom.
        """
        timing, busier = self.timing, plan.busier
        assert timing is not None
        if busier is not None:
            control = self._fleet.control
            # After a step it may still be the other's. And where none but the control is there, or
            # it does not come back from a request, its release is to fail as the other would.
            if control is None or control.release != busier.release:
                return None
            if not busier.is_ready or not control.is_idle:
                return None
            if arm is busier:
                arm = control
        timing.take(now)
        return arm

    def _follow(self, plan: "_Plan") -> None:
        self._plan = plan
        busier = plan.busier
        self._fleet.keep_control(None if busier is None else busier.release)

    def _require_ready(self, routing: Routing) -> None:
        """Refuse an order that names somebody who cannot be asked.

        Who has its place already keeps it, though its worker be started again just now: an order
        that takes weight from a candidate which dies all the time must be followed.
        """
        plan, queues = self._plan, self._fleet.queues
        for release, sitting in (
            (routing.champion, plan.champion),
            (routing.candidate, plan.candidate),
        ):
            if release is None or (sitting is not None and sitting is queues.get(release)):
                continue
            running = self._fleet.find(release)
            if running is None:
                raise OrderRefusedError(
                    f"release {short(release)} does not run here; there is "
                    f"{', '.join(map(short, queues)) or 'none'}; post it to /releases first"
                )
            if running.state is not ReleaseState.READY:
                why = f" ({running.reason})" if running.reason else ""
                raise OrderRefusedError(
                    f"release {short(release)} is {running.state}{why}; order this once it is ready"
                )

    def _plan_for(self, routing: Routing) -> _Plan:
        queues = self._fleet.queues
        champion = queues.get(routing.champion or "")
        # An arm with 0 % need not run: what was promoted does not wait for the release before it.
        is_answered = champion is not None or routing.champion is None or routing.split.weight >= 1
        candidate = queues.get(routing.candidate or "") if is_answered else None
        has_weight = candidate is not None and not routing.is_shadow and self._tripped is None
        # Not by `or`: a queue in which nothing waits is an empty one.
        whose = candidate if champion is None else champion
        return _Plan(
            routing=routing,
            token=str(routing.token),
            weight=routing.split.weight if has_weight else 0.0,
            champion=champion,
            candidate=candidate,
            queues=tuple(each for each in (champion, candidate) if each is not None),
            timeout_s=CLIENT_TIMEOUT_S if whose is None else whose.timeout_s,
        )

    def _predict_pinned(self, exchange: Exchange) -> None:
        """Have the release answer that a request names, whatever comes of it; nobody is blamed."""
        token = self._pin_token
        if token is None or not compare_digest(exchange.head.token, token.encode()):
            exchange.answer(
                Response.refusing(
                    403, "to say which release answers takes the token, in X-Triune-Token"
                )
            )
            return
        name = exchange.head.release.decode("latin-1").lower()
        queues = self._fleet.queues
        found = [
            queue
            for release, queue in queues.items()
            if release.startswith(name) and len(name) >= SHORT
        ]
        if len(found) != 1:
            exchange.answer(
                Response.refusing(
                    404,
                    f"release {name[:64]!r} does not run here; there is "
                    f"{', '.join(map(short, queues)) or 'none'}",
                )
            )
            return
        (queue,) = found
        started = monotonic()

        def done(answer: Answer) -> None:
            self.tally.answered(queue.name, PINNED, answer, latency_s=monotonic() - started)
            exchange.answer(_response(answer, queue.release))

        queue.submit(exchange.body, deadline=started + queue.timeout_s, done=done)


class _Trip:
    """One request on its way: to its arm, and where that fails it to the champion."""

    __slots__ = (
        "_entry",
        "_exchange",
        "_plan",
        "_queue",
        "_refused",
        "_router",
        "_started",
        "_timed_by",
        "_unit",
    )

    def __init__(self, router: Router, plan: _Plan, exchange: Exchange) -> None:
        self._router = router
        self._plan = plan
        self._exchange = exchange
        self._started = monotonic()
        self._refused: Answer | None = None
        self._unit: bytes | None = None
        salt, weight = plan.routing.rollout, plan.weight
        key = exchange.head.key
        if key:
            self._unit = unit_id(_text(key), salt=salt)
            assignment = router.units.assign(self._unit, weight=weight)
            is_candidate = assignment.arm is Arm.CANDIDATE
            rho, is_first = assignment.rho, assignment.is_first
        else:
            is_candidate = weight > 0 and router.lots.draw() < weight
            rho, is_first = weight, True
        queue = plan.candidate if is_candidate else plan.champion
        assert queue is not None
        self._queue = queue
        self._timed_by = None
        if router.timing is not None and router.timing.is_due(self._started):
            self._timed_by = router.timed_by(plan, queue, self._started)
        self._entry = Entry(
            number=router.log.next_number(),
            token=plan.token,
            rollout=salt,
            release=queue.release,
            arm=_CANDIDATE if is_candidate else _CHAMPION,
            weight=weight,
            rho=rho,
            is_first=is_first,
            assigned_at_s=time(),
            unit=None if self._unit is None else self._unit.hex(),
            timed=self._timed_by is not None,
        )
        router.log.open(self._entry)
        for each in plan.queues:
            each.holders += 1

    def start(self) -> None:
        """Ask the arm."""
        plan, patience_s, done = self._plan, self._plan.timeout_s, self._champion_answered
        if self._entry.arm == _CANDIDATE and plan.champion is None:
            done = self._candidate_answered_alone
        elif self._entry.arm == _CANDIDATE:
            patience_s, done = self._router.candidate_deadline(plan), self._candidate_answered
        deadline = self._started + patience_s
        if self._timed_by is None:
            self._queue.submit(self._exchange.body, deadline=deadline, done=done)
            return

        def timed(answer: Answer) -> None:
            self._note_timed(answer)
            if answer.failure is Failure.DIED and self._has_others_to_ask:
                self._champion_died()
            else:
                done(answer)

        self._timed_by.submit(self._exchange.body, deadline=deadline, done=timed, is_alone=True)

    @property
    def _has_others_to_ask(self) -> bool:
        """Tell whether the champion has another worker than the one that timed it."""
        return self._entry.arm == _CHAMPION and self._timed_by is not self._queue

    def _champion_died(self) -> None:
        """Have another worker of the champion answer, and log what the client does not see."""
        self._entry.failure = Failure.DIED.value
        self._router.tally.failed(self._queue.name, _CHAMPION, Failure.DIED)
        self._router.breaker.champion_answered(has_failed=True)
        self._ask_champion(self._champion_stood_in)

    def _note_timed(self, answer: Answer) -> None:
        timing = self._router.timing
        assert timing is not None
        # Where one has all traffic, all of it waits for the worker. Where two share it, evidence
        # that comes twenty times as slowly costs more than that the smaller arm waits.
        held_up_s = 0.0 if self._plan.busier is not None else answer.service_s or 0.0
        timing.returned(monotonic(), held_up_s=held_up_s)

    def _ask_champion(self, done: Callable[[Answer], None]) -> None:
        champion = self._plan.champion
        assert champion is not None
        deadline = self._started + self._plan.timeout_s
        champion.submit(self._exchange.body, deadline=deadline, done=done)

    def _champion_answered(self, answer: Answer) -> None:
        """Answer as the champion did: there is nobody else to ask."""
        router, plan = self._router, self._plan
        router.tally.served(self._queue.name, answer)
        # That there is too much to do says nothing about the release.
        if answer.failure is Failure.OVERFLOW:
            router.log.forget(self._entry)
        else:
            router.breaker.champion_answered(has_failed=answer.failure is not None)
            self._settle(answer, failure=answer.failure, status=answer.status)
        if answer.failure is None:
            # Not of requests that it answers for a candidate: those waited for that first.
            router.tally.champion.add(monotonic() - self._started)
        self._send(answer, plan.champion)
        is_overflow = answer.failure is Failure.OVERFLOW
        if plan.routing.is_shadow and plan.candidate is not None and not is_overflow:
            router.shadow(plan, self._exchange.body, self._entry, answer)

    def _candidate_answered_alone(self, answer: Answer) -> None:
        """Answer as the candidate did, where there is no champion yet."""
        self._router.tally.served(self._queue.name, answer)
        self._settle(answer, failure=answer.failure, status=answer.status)
        self._send(answer, self._plan.candidate)

    def _candidate_answered(self, answer: Answer) -> None:
        """Answer as the candidate did, if it did; else let the champion."""
        self._router.tally.served(self._queue.name, answer)
        if answer.failure is None and answer.status == 200:
            self._router.breaker.trips(has_failed=False)
            self._settle(answer, failure=None, status=200)
            self._send(answer, self._plan.candidate)
        elif answer.failure is None:
            self._refused = answer
            self._ask_champion(self._champion_judged)
        else:
            self._blame(answer, answer.failure)
            self._ask_champion(self._champion_stood_in)

    def _champion_judged(self, answer: Answer) -> None:
        """See whether what the candidate refused is refused by the champion too."""
        refused = self._refused
        assert refused is not None
        if answer.status == 200:
            self._blame(refused, Failure.REFUSED)
            self._champion_stood_in(answer)
            return
        self._router.breaker.trips(has_failed=False)
        self._settle(refused, failure=None, status=refused.status)
        self._send(refused, self._plan.candidate)

    def _champion_stood_in(self, answer: Answer) -> None:
        self._router.breaker.champion_answered(has_failed=answer.failure is not None)
        # The entry is the candidate's: of the champion's answer only that the client got it.
        self._entry.status = answer.status
        self._settle(None, failure=None, status=answer.status)
        self._send(answer, self._plan.champion)

    def _blame(self, answer: Answer, failure: Failure) -> None:
        self._entry.failure = failure.value
        self._entry.service_s, self._entry.batch_size = answer.service_s, answer.batch_size
        candidate = self._plan.candidate
        assert candidate is not None
        self._router.tally.failed(candidate.name, _CANDIDATE, failure)
        if self._router.breaker.trips(has_failed=True):
            self._router.trip(self._plan)

    def _settle(self, answer: Answer | None, *, failure: Failure | None, status: int) -> None:
        """Log the request; without an answer of its arm, as one that was blamed before."""
        router, entry = self._router, self._entry
        if answer is not None:
            entry.service_s, entry.batch_size = answer.service_s, answer.batch_size
        if failure is not None:
            entry.failure = failure.value
            router.tally.failed(self._queue.name, entry.arm, failure)
        entry.batch_class = batch_class(entry.batch_size)
        entry.status = status
        entry.latency_s = monotonic() - self._started
        if entry.failure is not None:
            entry.is_first_failure = self._unit is None or bool(
                router.units.count(self._unit, Incident.FAILED)
            )
        router.log.settle(entry)

    def _send(self, answer: Answer, queue: ReleaseQueue | None) -> None:
        assert queue is not None
        arm = _CHAMPION if queue is self._plan.champion else _CANDIDATE
        waited_s = monotonic() - self._started
        self._router.tally.answered(queue.name, arm, answer, latency_s=waited_s)
        self._exchange.answer(_response(answer, queue.release))
        for each in self._plan.queues:
            each.holders -= 1


def _sentence(routing: Routing) -> str:
    champion, candidate = routing.champion, routing.candidate
    said = f"champion {short(champion)}" if champion else "no champion"
    if candidate is None:
        return said
    share = "copies" if routing.is_shadow else f"{routing.split.candidate:g} %"
    return f"{said}, candidate {short(candidate)} with {share}"


def _pair(entry: Entry, release: str, *, champion: Answer, candidate: Answer) -> Pair:
    """Say of a request that both were sent how each fared."""
    champion_failure, candidate_failure = champion.failure, candidate.failure
    if champion_failure is None and candidate_failure is None:
        # What one of them refuses and the other accepts.
        if champion.status == 200 != candidate.status:
            candidate_failure = Failure.REFUSED
        if candidate.status == 200 != champion.status:
            champion_failure = Failure.REFUSED
    return Pair(
        number=entry.number,
        token=entry.token,
        rollout=entry.rollout,
        release=release,
        assigned_at_s=entry.assigned_at_s,
        unit=entry.unit,
        champion_failure=champion_failure and champion_failure.value,
        candidate_failure=candidate_failure and candidate_failure.value,
        champion_service_s=champion.service_s,
        candidate_service_s=candidate.service_s,
        champion_batch_size=champion.batch_size,
        candidate_batch_size=candidate.batch_size,
        is_same=(candidate.status, candidate.body) == (champion.status, champion.body),
        timed=entry.timed,
    )


def _response(answer: Answer, release: str) -> Response:
    return Response(
        status=answer.status,
        body=answer.body,
        content_type=JSON if answer.status == 200 else PROBLEM_JSON,
        headers=_RETRY if answer.status == 503 else NO_HEADERS,
        release=release,
    )


def _text(key: bytes) -> str:
    """Read a key as UTF-8, and one that is not as the bytes that it is."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.decode("latin-1")
