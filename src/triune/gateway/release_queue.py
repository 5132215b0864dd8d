"""Queues requests for one release and hands its workers whatever queued while they were busy."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import msgspec

from triune.domain.canonical import Json
from triune.domain.failures import Failure
from triune.domain.frames import TOGETHER, Call, Reply, Verb, pack_requests, unpack_answers
from triune.domain.refusal import Refusal
from triune.domain.release import short
from triune.gateway.replica import Replica
from triune.gateway.worker_process import Launch

MAX_WAITING: Final = 1024
MAX_WAITING_BYTES: Final = 64 * 2**20
MAX_BATCH: Final = 256
MAX_BATCH_BYTES: Final = 16 * 2**20
GLANCE_S: Final = 0.01
LONGEST_LULL_S: Final = 0.002
LULL_SHARE: Final = 0.2


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a release made of a request.

    ``service_s`` is how long its worker took for the batch that carried the request, None where no
    batch was answered.
    """

    status: int
    body: bytes
    failure: Failure | None = None
    service_s: float | None = None
    batch_size: int = 1


Done = Callable[[Answer], None]


class Job:
    """A request in the queue, or with a worker; whoever asked is told once what became of it.

    One that ``is_alone`` makes a batch by itself.
    """

    __slots__ = ("_done", "body", "deadline", "is_alone")

    def __init__(self, body: bytes, deadline: float, done: Done, *, is_alone: bool) -> None:
        self.body = body
        self.deadline = deadline
        self.is_alone = is_alone
        self._done: Done | None = done

    @property
    def is_settled(self) -> bool:
        """Tell whether an answer would interest nobody any more."""
        return self._done is None

    def settle(self, answer: Answer) -> None:
        """Tell what became of it, if that was not told before."""
        done, self._done = self._done, None
        if done is not None:
            done(answer)


class ReleaseQueue:
    """One release's workers, and the requests that wait for them.

    ``timeout_s`` bounds how long a worker may take for a batch. One that takes longer is killed: it
    can do one thing at a time only. ``holders`` counts who may still submit something, though the
    release is no longer listed.
    """

    def __init__(self, launch: Launch, *, timeout_s: float, replicas: int = 1) -> None:
        self.release = launch.release
        self.name = short(launch.release)
        self.timeout_s = timeout_s
        self.holders = 0
        self._replicas = [Replica(launch, on_ready=self._look) for _ in range(replicas)]
        # Kept: to ask which loop runs takes a system call.
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._waiting_bytes = 0
        self._batches: dict[Replica, _Batch] = {}
        self._is_looking = False
        self._glance: asyncio.TimerHandle | None = None
        self._lull: asyncio.TimerHandle | None = None
        self._expected = 0

    @property
    def is_ready(self) -> bool:
        """Tell whether a worker is there to answer."""
        for replica in self._replicas:  # noqa: SIM110 - for each request; a generator costs more
            if replica.is_ready:
                return True
        return False

    @property
    def is_idle(self) -> bool:
        """Tell whether nobody waits for it."""
        return not self._batches and not self._waiting

    @property
    def ready(self) -> int:
        """Count the workers that are there."""
        return sum(replica.is_ready for replica in self._replicas)

    @property
    def fault(self) -> Exception | None:
        """Why a worker could not be started again, as long as it is not."""
        return next((each.fault for each in self._replicas if each.fault is not None), None)

    def __len__(self) -> int:
        return len(self._waiting)

    def workers(self) -> list[Json]:
        """Say of each worker that has a process how it is."""
        return [
            {"pid": each.pid, "ready": each.is_ready, "restarts": each.restarts}
            for each in self._replicas
            if each.pid is not None
        ]

    def move(self, bundle: Path) -> None:
        """Start workers from now on from where the release lies now."""
        for replica in self._replicas:
            replica.move(bundle)

    async def open(self) -> None:
        """Start the workers for the first time, and keep them alive from then on.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            One could not start.
        """
        opened = await asyncio.gather(
            *(replica.open() for replica in self._replicas), return_exceptions=True
        )
        for error in opened:
            if error is not None:
                raise error

    async def drain(self) -> None:
        """Wait until all that was or may be submitted is answered; deadlines bound how long."""
        while self.holders or self._batches or self._waiting:
            await asyncio.sleep(GLANCE_S)

    async def close(self) -> None:
        """End the workers, and keep them alive no longer."""
        for timer in (self._glance, self._lull):
            if timer is not None:
                timer.cancel()
        await asyncio.gather(*(replica.close() for replica in self._replicas))

    def submit(self, body: bytes, *, deadline: float, done: Done, is_alone: bool = False) -> None:
        """Queue a request; ``done`` is called once, by the monotonic ``deadline`` at the latest.

        That may be before this returns, where no worker can take it. One that ``is_alone`` is put
        into no batch with others.
        """
        job = Job(body, deadline, done, is_alone=is_alone)
        if not self.is_ready:
            job.settle(_failed(503, Failure.AWAY, "the release's worker is being started again"))
        elif (
            len(self._waiting) >= MAX_WAITING or self._waiting_bytes + len(body) > MAX_WAITING_BYTES
        ):
            text = "too many requests wait for the release's worker"
            job.settle(_failed(503, Failure.OVERFLOW, text))
        else:
            self._waiting.append(job)
            self._waiting_bytes += len(body)
            self._look()

    def _look(self) -> None:
        """Look for what to do once all that came together has been taken in."""
        if self._lull is not None and len(self._waiting) < self._expected:
            return
        if self._glance is not None and len(self._batches) == len(self._replicas):
            # All are busy: the first that answers looks again, and the glance minds deadlines.
            return
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_soon(self._send)

    def _rest(self, size: int, service_s: float) -> None:
        """Give clients that were just answered together the time to ask again together.

        A batch takes little longer than one request. Sent on as they come back, they would part
        into a small batch and a large one, take turns, and be served half as fast. So after a
        batch of many there is a short rest, which ends as soon as as many have come.
        """
        if size < 2 or len(self._replicas) > 1:
            return
        self._expected = min(size + len(self._waiting), MAX_BATCH)
        rest_s = min(LONGEST_LULL_S, LULL_SHARE * service_s)
        self._lull = self._loop.call_later(rest_s, self._end_rest)

    def _end_rest(self) -> None:
        if self._lull is not None:
            self._lull.cancel()
            self._lull = None
        self._look()

    def _send(self) -> None:
        self._is_looking = False
        if self._lull is not None:
            self._lull.cancel()
            self._lull = None
        idle = [each for each in self._replicas if each.is_ready and each not in self._batches]
        while idle and self._waiting:
            share = -(-len(self._waiting) // len(idle))
            jobs = self._take(min(share, MAX_BATCH))
            if jobs:
                self._hand(idle.pop(), jobs)
        if self._waiting:
            self._watch()

    def _take(self, count: int) -> list[Job]:
        jobs: list[Job] = []
        waiting, size = self._waiting, 0
        while waiting and len(jobs) < count:
            length = len(waiting[0].body)
            if jobs and (waiting[0].is_alone or size + length > MAX_BATCH_BYTES):
                break
            job = waiting.popleft()
            self._waiting_bytes -= length
            if not job.is_settled:
                jobs.append(job)
                size += length
                if job.is_alone:
                    break
        return jobs

    def _hand(self, replica: Replica, jobs: list[Job]) -> None:
        batch = _Batch(jobs, monotonic() + self.timeout_s)
        self._batches[replica] = batch
        self._watch()
        call = Call(verb=Verb.BATCH, arguments={}, body=pack_requests([job.body for job in jobs]))
        replica.post(call, lambda reply: self._take_in(replica, batch, reply))

    def _take_in(self, replica: Replica, batch: "_Batch", reply: Reply | None) -> None:
        if self._batches.get(replica) is batch:
            del self._batches[replica]
        if reply is None:
            self._look()
            _settle_all(
                batch.jobs,
                _failed(503, Failure.DIED, "the release's worker died over this request"),
            )
            return
        answers, service_s = unpack_answers(reply.body)
        size = len(answers)
        self._rest(size, service_s)
        self._look()
        for job, answer in zip(batch.jobs, answers, strict=True):
            # Where the batch raised, each was asked again by itself, and took its own time.
            took_s, together = service_s, size
            if answer.alone_s != TOGETHER:
                took_s, together = answer.alone_s, 1
            job.settle(Answer(answer.status, answer.body, answer.failure, took_s, together))

    def _watch(self) -> None:
        if self._glance is None:
            self._glance = self._loop.call_later(GLANCE_S, self._check)

    def _check(self) -> None:
        """Give up what is past its deadline, and workers that do not answer."""
        self._glance = None
        now = monotonic()
        text = f"the release's worker did not answer in {self.timeout_s:g} s"
        late = _failed(504, Failure.TIMEOUT, text)
        for replica, batch in list(self._batches.items()):
            _settle_all([job for job in batch.jobs if job.deadline <= now], late)
            if batch.deadline <= now:
                replica.drop()
        overdue = [job for job in self._waiting if job.deadline <= now]
        if overdue:
            _settle_all(overdue, late)
            self._waiting = deque(job for job in self._waiting if not job.is_settled)
            self._waiting_bytes = sum(len(job.body) for job in self._waiting)
        if self._batches or self._waiting:
            self._watch()


class _Batch(NamedTuple):
    jobs: list[Job]
    deadline: float


def _settle_all(jobs: Sequence[Job], answer: Answer) -> None:
    for job in jobs:
        job.settle(answer)


def _failed(status: int, failure: Failure, detail: str) -> Answer:
    return Answer(status, Refusal(status=status, detail=detail).content, failure)
