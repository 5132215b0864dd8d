"""Runs releases in worker processes and asks them over a Unix socket pair."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

from triune.adapters.scorer.cache import PredictionCache
from triune.adapters.scorer.predictions import read_predictions
from triune.domain.canonical import Json
from triune.domain.errors import ModelError, TriuneError, WorkerError, WorkerKilledError
from triune.domain.frames import (
    PREFIX,
    Call,
    Reply,
    Verb,
    decode_reply,
    encode_call,
    lengths,
)
from triune.domain.manifest import Outputs
from triune.domain.worker_launch import (
    describe_exit,
    read_start,
    worker_command,
    worker_environment,
)
from triune.ports import Compilation, Needs, Predictions

# A process that forked off a worker may hold its end of the line open beyond the worker's
# death, so a silent line is looked behind this often.
GLANCE_S: Final = 0.2
GRACE_S: Final = 2.0
LAST_LINES: Final = 15
LAST_BYTES: Final = 8192
# No code that fails ends by these: they are sent, the first also by a kernel out of memory.
_SENT: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP})


class ProcessScorer:
    """Starts a worker for each release; ``cache`` is a folder that keeps their predictions.

    ``timeout_s`` bounds each answer, and ``start_timeout_s`` the load of a model.
    """

    def __init__(
        self,
        cache: Path | None = None,
        *,
        timeout_s: float = 600.0,
        start_timeout_s: float = 120.0,
    ) -> None:
        self._cache = PredictionCache(cache) if cache else None
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s

    def recall(self, *, release: str, dataset: str) -> Predictions | None:
        """Find what a release (its id) predicted for a dataset (its digest), if it is known."""
        return self._cache.find(release=release, dataset=dataset) if self._cache else None

    def keep_only(self, releases: Collection[str]) -> int:
        """Forget what other releases than these predicted, and count the bytes that it took."""
        return self._cache.keep_only(releases) if self._cache else 0

    @contextmanager
    def start(self, bundle: Path, *, release: str) -> Iterator["ProcessWorker"]:
        """Start a worker on the bundle of a release; it and all it started end with the block."""
        with (
            tempfile.TemporaryFile() as log,
            # In the bundle, which whoever laid it out sweeps up where this process is killed.
            tempfile.TemporaryDirectory(prefix="scores-", dir=bundle) as folder,
            _launched(bundle, release, log) as line,
        ):
            outputs = read_start(line.receive(timeout_s=self._start_timeout_s))
            yield ProcessWorker(
                line=line,
                outputs=outputs,
                release=release,
                folder=Path(folder),
                cache=self._cache,
                timeout_s=self._timeout_s,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessWorker:
    """The asking side of one worker, which runs ``release`` and writes scores into ``folder``."""

    line: "_Line"
    outputs: Outputs
    release: str
    folder: Path
    cache: PredictionCache | None
    timeout_s: float

    def describe(self) -> Outputs:
        """Tell what the model answers."""
        return self.outputs

    def needs(self) -> Needs:
        """Tell which modules the release was found to need so far."""
        found = json.loads(self._ask(Call(verb=Verb.NEEDS, arguments={})).body)
        return Needs(
            code=frozenset(found["code"]),
            model=frozenset(found["model"]),
            loaded=frozenset(found["loaded"]),
        )

    def score(self, source: Path, *, dataset: str | None = None) -> Predictions:
        """Score an Arrow IPC file, or find what was scored before for this ``dataset``."""
        if self.cache is None or dataset is None:
            return self._score(source)
        known = self.cache.find(release=self.release, dataset=dataset)
        if known is not None:
            return known
        predictions = self._score(source)
        self.cache.keep(predictions, release=self.release, dataset=dataset)
        return predictions

    def compile(self, source: Path) -> Compilation:
        """Compile the model to ONNX, tried on the rows of an Arrow IPC file of its inputs."""
        target = self.folder / "compiled.onnx"
        arguments = {"source": str(source.resolve()), "target": str(target)}
        reply = self._ask(Call(verb=Verb.COMPILE, arguments=arguments), refused=ModelError)
        steps = json.loads(reply.body)
        return Compilation(
            content=target.read_bytes(),
            compiled=tuple(steps["compiled"]),
            python=tuple(steps["python"]),
        )

    def predict(self, requests: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """Answer requests as one batch, as a client would be answered over HTTP."""
        body = json.dumps(list(requests), allow_nan=False).encode()
        reply = self._ask(Call(verb=Verb.PREDICT, arguments={}, body=body))
        answers: list[dict[str, Json]] = json.loads(reply.body)
        return answers

    def _score(self, source: Path) -> Predictions:
        target = self.folder / "predictions.arrow"
        arguments = {"source": str(source.resolve()), "target": str(target)}
        self._ask(Call(verb=Verb.SCORE, arguments=arguments))
        return read_predictions(target.read_bytes())

    def _ask(self, call: Call, *, refused: type[TriuneError] = WorkerError) -> Reply:
        reply = self.line.ask(call, timeout_s=self.timeout_s)
        if reply.status != 200:
            detail = json.loads(reply.body)["detail"]
            words = self.line.last_words() if refused is WorkerError else ""
            raise refused(f"{detail}{words}")
        return reply


@contextmanager
def _launched(bundle: Path, release: str, log: BinaryIO) -> Iterator["_Line"]:
    ours, theirs = socket.socketpair()
    held, lifeline = socket.socketpair()
    with ours, held:
        with theirs, lifeline:
            process = subprocess.Popen(
                worker_command(
                    python=sys.executable,
                    bundle=str(bundle.resolve()),
                    manifest=release,
                    connection=theirs.fileno(),
                    lifeline=lifeline.fileno(),
                    notes_needs=True,
                ),
                pass_fds=(theirs.fileno(), lifeline.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(os.environ),
                # A group of its own: Ctrl-C is for this process to handle, and what the
                # release's code starts can be ended with it.
                start_new_session=True,
            )
        try:
            yield _Line(ours, process, log)
        finally:
            ours.close()
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a worker that saw its line close end by itself; then kill what is left of its group."""
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Line:
    """The asking end of the socket pair, with the process at the other one and its log."""

    def __init__(
        self, ours: socket.socket, process: subprocess.Popen[bytes], log: BinaryIO
    ) -> None:
        ours.settimeout(GLANCE_S)
        self._socket = ours
        self._process = process
        self._log = log

    def ask(self, call: Call, *, timeout_s: float) -> Reply:
        """Send a call and wait for its reply.

        Raises
        ------
        WorkerKilledError
            The worker was killed, perhaps for not answering in time.
        WorkerError
            It died by itself.
        """
        deadline = _Deadline(timeout_s)
        unsent = memoryview(encode_call(call))
        while unsent:
            unsent = unsent[self._attempt(partial(self._socket.send, unsent), deadline) :]
        return self._receive(deadline)

    def receive(self, *, timeout_s: float) -> Reply:
        """Wait for the reply that nothing was asked for: the first."""
        return self._receive(_Deadline(timeout_s))

    def last_words(self) -> str:
        """Quote the end of what the worker printed, if it did."""
        # Not read through the file, whose position the worker writes at.
        descriptor = self._log.fileno()
        start = max(0, os.fstat(descriptor).st_size - LAST_BYTES)
        lines = os.pread(descriptor, LAST_BYTES, start).decode(errors="replace").splitlines()
        return "".join(f"\n  | {line}" for line in lines[-LAST_LINES:])

    def _receive(self, deadline: "_Deadline") -> Reply:
        header_size, body_size = lengths(self._receive_exactly(PREFIX.size, deadline))
        header = self._receive_exactly(header_size, deadline)
        return decode_reply(header, self._receive_exactly(body_size, deadline))

    def _receive_exactly(self, count: int, deadline: "_Deadline") -> bytes:
        content = bytearray(count)
        unread = memoryview(content)
        while unread:
            received = self._attempt(partial(self._socket.recv_into, unread), deadline)
            if received == 0:
                raise self._died()
            unread = unread[received:]
        return bytes(content)

    def _attempt(self, move: Callable[[], int], deadline: "_Deadline") -> int:
        """Move some bytes, for as long as the worker lives and there is time."""
        is_over = False
        while True:
            try:
                return move()
            except TimeoutError:
                if is_over:
                    raise self._died() from None
                # Once more: it may have answered just before it ended.
                is_over = self._process.poll() is not None
                if not is_over and deadline.has_passed():
                    self._process.kill()
                    raise WorkerKilledError(
                        f"the release's worker did not answer in {deadline.timeout_s:g} s "
                        "and was killed; look for what hangs in its code, or for what kept the "
                        f"machine busy, and run it again{self.last_words()}"
                    ) from None
            except ConnectionError:
                raise self._died() from None

    def _died(self) -> WorkerError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=GRACE_S)
        status = self._process.returncode
        how = describe_exit(status)
        if status is not None and -status in _SENT:
            return WorkerKilledError(
                f"the release's worker {how}; see that it has the memory that it needs, and run "
                f"it again{self.last_words()}"
            )
        return WorkerError(f"the release's worker {how}{self.last_words()}")


class _Deadline:
    """The moment when ``timeout_s`` from now have passed."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._at = monotonic() + timeout_s

    def has_passed(self) -> bool:
        return monotonic() > self._at
