"""Sends each request to an arm, and keeps from every client that a candidate failed."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from hmac import compare_digest
from itertools import count
from typing import Final, NamedTuple

from triune.domain.errors import TriuneError
from triune.domain.failures import Failure
from triune.domain.refusal import PROBLEM_JSON
from triune.domain.release import SHORT, short
from triune.domain.rollout.routing import Applied, Breaker, Routing
from triune.domain.traffic import Arm, Incident, TrafficSplit, Units, arm_of, unit_id
from triune.gateway.breaker import LocalBreaker
from triune.gateway.client import JSON, RETRY_AFTER_S, Exchange, Response
from triune.gateway.outcomes import Entry, OutcomeLog
from triune.gateway.release_queue import Answer, ReleaseQueue
from triune.gateway.tally import PINNED, Tally, batch_class

SHORTEST_DEADLINE_S: Final = 0.1
PATIENCE: Final = 4
"""How many times the champion's p99 a candidate may take."""
MAX_SHADOWS: Final = 16

_RETRY: Final = {"retry-after": str(RETRY_AFTER_S)}


class OrderRefusedError(TriuneError):
    """An order about traffic cannot be followed; what was in force still is."""

    code = "ORDER_REFUSED"


class _Plan(NamedTuple):
    """What is in force: swapped as a whole, so that no request sees half of an order."""

    routing: Routing
    token: str
    weight: float
    champion: ReleaseQueue | None
    candidate: ReleaseQueue | None


class Router:
    """Follows orders about the traffic of one environment.

    Parameters
    ----------
    queues
        The releases that run here, by id.
    timeout_s
        How long a client waits at most.
    pin_token
        Lets a request say by ``X-Triune-Release`` who is to answer; without it none may.
    """

    def __init__(
        self,
        queues: Mapping[str, ReleaseQueue],
        routing: Routing,
        *,
        log: OutcomeLog,
        timeout_s: float,
        pin_token: str | None = None,
    ) -> None:
        self.log = log
        self.timeout_s = timeout_s
        self.breaker = LocalBreaker()
        self.units = Units()
        self.tally = Tally()
        self._queues = queues
        self._pin_token = pin_token
        self._plan = self._plan_for(routing)
        self._tripped: Breaker | None = None
        self._shadows = 0
        # Of requests without a key; whoever cannot guess it cannot choose an arm.
        self._own = os.urandom(8).hex()
        self._requests = count()

    @property
    def champion(self) -> ReleaseQueue | None:
        """The release that answers what no other is asked."""
        return self._plan.champion

    @property
    def routing(self) -> Routing:
        """The order in force."""
        return self._plan.routing

    @property
    def tripped(self) -> Breaker | None:
        """What the breaker did since the last order, if anything."""
        return self._tripped

    @property
    def applied(self) -> Applied:
        """What is done: the order in force, but for what the breaker took back."""
        split = TrafficSplit.giving(100 * self._plan.weight)
        return Applied(token=self._plan.routing.token, split=split)

    @property
    def candidate_deadline_s(self) -> float:
        """How long a candidate may take before the champion is asked instead."""
        longest = self.timeout_s / 2
        p99_s = self.tally.champion.p99_s
        return max(SHORTEST_DEADLINE_S, min(longest, PATIENCE * p99_s) if p99_s else longest)

    def apply(self, routing: Routing) -> None:
        """Follow an order from the next request on; one that was followed before changes nothing.

        Raises
        ------
        OrderRefusedError
            A newer one was followed, or it names a release that does not run here.
        """
        current = self._plan.routing
        if routing == current:
            return
        if routing.token <= current.token:
            raise OrderRefusedError(
                f"order {routing.token} is older than {current.token}, which is in force; "
                "read what is, and decide anew"
            )
        plan = self._plan_for(routing)
        if routing.rollout != current.rollout:
            self.units = Units()
        self.breaker = LocalBreaker()
        self._tripped = None
        self._plan = plan

    def predict(self, exchange: Exchange) -> None:
        """See to it that a request is answered."""
        if exchange.release:
            self._predict_pinned(exchange)
            return
        plan = self._plan
        if plan.champion is None and (plan.candidate is None or plan.weight < 1):
            exchange.answer(Response.unavailable("no release serves here"))
            return
        _Trip(self, plan, exchange).start()

    def own_unit(self, *, salt: str) -> bytes:
        """Make the id of a request that has no key."""
        return unit_id(f"{self._own}-{next(self._requests)}", salt=salt)

    def metrics(self, *, connections: int) -> str:
        """Write counters and histograms as Prometheus reads them."""
        return self.tally.text(
            self._queues.values(), weight=self._plan.weight, connections=connections
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
        self._plan = plan._replace(weight=0.0)

    def shadow(self, plan: "_Plan", body: bytes, seen: Answer) -> None:
        """Send the candidate a copy, unless it has enough of them."""
        queue = plan.candidate
        assert queue is not None
        release = short(queue.release)
        if self._shadows >= MAX_SHADOWS:
            self.tally.shadowed(release, "dropped")
            return
        self._shadows += 1

        def done(answer: Answer) -> None:
            self._shadows -= 1
            if answer.failure is not None:
                self.tally.shadowed(release, "failed")
            else:
                is_same = (answer.status, answer.body) == (seen.status, seen.body)
                self.tally.shadowed(release, "same" if is_same else "different")

        now = asyncio.get_running_loop().time()
        queue.submit(body, deadline=now + self.timeout_s, done=done)

    def _plan_for(self, routing: Routing) -> _Plan:
        for release in (routing.champion, routing.candidate):
            if release is not None and release not in self._queues:
                raise OrderRefusedError(
                    f"release {short(release)} does not run here; there is "
                    f"{', '.join(map(short, self._queues)) or 'none'}"
                )
        candidate = None if routing.candidate is None else self._queues[routing.candidate]
        return _Plan(
            routing=routing,
            token=str(routing.token),
            weight=0.0 if candidate is None or routing.is_shadow else routing.split.weight,
            champion=None if routing.champion is None else self._queues[routing.champion],
            candidate=candidate,
        )

    def _predict_pinned(self, exchange: Exchange) -> None:
        """Have the release answer that a request names, whatever comes of it; nobody is blamed."""
        token = self._pin_token
        if token is None or not compare_digest(exchange.token, token.encode()):
            exchange.answer(
                Response.refusing(
                    403, "to say which release answers takes the token, in X-Triune-Token"
                )
            )
            return
        name = exchange.release.decode("latin-1").lower()
        found = [
            queue
            for release, queue in self._queues.items()
            if release.startswith(name) and len(name) >= SHORT
        ]
        if len(found) != 1:
            exchange.answer(
                Response.refusing(
                    404,
                    f"release {name[:64]!r} does not run here; there is "
                    f"{', '.join(map(short, self._queues))}",
                )
            )
            return
        (queue,) = found
        started = asyncio.get_running_loop().time()

        def done(answer: Answer) -> None:
            latency_s = asyncio.get_running_loop().time() - started
            self.tally.answered(short(queue.release), PINNED, answer, latency_s=latency_s)
            exchange.answer(_response(answer, queue.release))

        queue.submit(exchange.body, deadline=started + self.timeout_s, done=done)


class _Trip:
    """One request on its way: to its arm, and where that fails it to the champion."""

    __slots__ = ("_entry", "_exchange", "_plan", "_refused", "_router", "_started", "_unit")

    def __init__(self, router: Router, plan: _Plan, exchange: Exchange) -> None:
        self._router = router
        self._plan = plan
        self._exchange = exchange
        self._started = asyncio.get_running_loop().time()
        self._refused: Answer | None = None
        self._unit: bytes | None = None
        salt, weight = plan.routing.rollout, plan.weight
        rho, is_first = weight, True
        if exchange.key:
            self._unit = unit_id(_text(exchange.key), salt=salt)
            assignment = router.units.assign(self._unit, weight=weight)
            arm, rho, is_first = assignment.arm, assignment.rho, assignment.is_first
        else:
            arm = arm_of(router.own_unit(salt=salt), weight=weight)
        queue = plan.champion if arm is Arm.CHAMPION else plan.candidate
        assert queue is not None
        self._entry = Entry(
            number=router.log.next_number(),
            token=plan.token,
            rollout=salt,
            release=queue.release,
            arm=arm.value,
            weight=weight,
            rho=rho,
            is_first=is_first,
            assigned_at_s=time.time(),
            unit=None if self._unit is None else self._unit.hex(),
        )
        router.log.open(self._entry)

    def start(self) -> None:
        """Ask the arm."""
        if self._entry.arm == Arm.CHAMPION:
            self._ask_champion(self._champion_answered)
            return
        router, candidate = self._router, self._plan.candidate
        assert candidate is not None
        is_alone = self._plan.champion is None
        patience_s = router.timeout_s if is_alone else router.candidate_deadline_s
        candidate.submit(
            self._exchange.body,
            deadline=self._started + patience_s,
            done=self._candidate_answered_alone if is_alone else self._candidate_answered,
        )

    def _ask_champion(self, done: Callable[[Answer], None]) -> None:
        champion = self._plan.champion
        assert champion is not None
        deadline = self._started + self._router.timeout_s
        champion.submit(self._exchange.body, deadline=deadline, done=done)

    def _champion_answered(self, answer: Answer) -> None:
        """Answer as the champion did: there is nobody else to ask."""
        router, plan = self._router, self._plan
        self._note(answer)
        # That there is too much to do says nothing about the release.
        if answer.failure is Failure.OVERFLOW:
            router.log.forget(self._entry)
        else:
            router.breaker.champion_answered(has_failed=answer.failure is not None)
            self._settle(answer, failure=answer.failure, status=answer.status)
        if answer.failure is None:
            # Not of requests that it answers for a candidate: those waited for that first.
            router.tally.champion.add(asyncio.get_running_loop().time() - self._started)
        self._send(answer, plan.champion)
        if plan.routing.is_shadow and plan.candidate is not None and answer.failure is None:
            router.shadow(plan, self._exchange.body, answer)

    def _candidate_answered_alone(self, answer: Answer) -> None:
        """Answer as the candidate did, where there is no champion yet."""
        self._note(answer)
        self._settle(answer, failure=answer.failure, status=answer.status)
        self._send(answer, self._plan.candidate)

    def _candidate_answered(self, answer: Answer) -> None:
        """Answer as the candidate did, if it did; else let the champion."""
        self._note(answer)
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
        self._router.tally.failed(short(candidate.release), Arm.CANDIDATE, failure)
        if self._router.breaker.trips(has_failed=True):
            self._router.trip(self._plan)

    def _note(self, answer: Answer) -> None:
        self._router.tally.served(short(self._entry.release), answer)

    def _settle(self, answer: Answer | None, *, failure: Failure | None, status: int) -> None:
        """Log the request; without an answer of its arm, as one that was blamed before."""
        router, entry = self._router, self._entry
        if answer is not None:
            entry.service_s, entry.batch_size = answer.service_s, answer.batch_size
        if failure is not None:
            entry.failure = failure.value
            router.tally.failed(short(entry.release), entry.arm, failure)
        entry.batch_class = batch_class(entry.batch_size)
        entry.status = status
        entry.latency_s = asyncio.get_running_loop().time() - self._started
        if entry.failure is not None:
            entry.is_first_failure = self._unit is None or bool(
                router.units.count(self._unit, Incident.FAILED)
            )
        router.log.settle(entry)

    def _send(self, answer: Answer, queue: ReleaseQueue | None) -> None:
        assert queue is not None
        arm = Arm.CHAMPION if queue is self._plan.champion else Arm.CANDIDATE
        latency_s = asyncio.get_running_loop().time() - self._started
        self._router.tally.answered(short(queue.release), arm.value, answer, latency_s=latency_s)
        self._exchange.answer(_response(answer, queue.release))


def _response(answer: Answer, release: str) -> Response:
    return Response(
        status=answer.status,
        body=answer.body,
        content_type=JSON if answer.status == 200 else PROBLEM_JSON,
        headers=_RETRY if answer.status == 503 else {},
        release=release,
    )


def _text(key: bytes) -> str:
    """Read a key as UTF-8, and one that is not as the bytes that it is."""
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key.decode("latin-1")
