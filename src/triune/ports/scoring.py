"""Releases that are run to be asked: scored, compiled, served for a while."""

import hashlib
import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from triune.domain.canonical import Json
from triune.domain.manifest import Outputs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """A model's answers for n rows, in their order.

    ``labels`` has shape (n,); ``probabilities`` has shape (n, classes), columns in the order of
    ``Outputs.classes``, or is None where the model gives none.
    """

    labels: "npt.NDArray[np.generic]"
    probabilities: "npt.NDArray[np.float64] | None"

    @property
    def digest(self) -> str:
        """What they are, to the last bit: 64 hexadecimal digits."""
        hashed = hashlib.sha256(json.dumps(self.labels.tolist(), default=str).encode())
        if self.probabilities is not None:
            hashed.update(self.probabilities.tobytes())
        return hashed.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a worker imported.

    Parameters
    ----------
    code
        Files of the release's own code, relative to it.
    model
        Top-level modules that the model's file refers to, the release's own left out.
    loaded
        All top-level modules, the release's own left out.
    """

    code: frozenset[str]
    model: frozenset[str]
    loaded: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A compiled model: its bytes, the steps that it is made of, and those before them."""

    content: bytes
    compiled: tuple[str, ...]
    python: tuple[str, ...]


class Worker(Protocol):
    """A process of its own that runs one release, with that release's code, model and files."""

    def describe(self) -> Outputs:
        """Tell what the model answers."""

    def needs(self) -> Needs:
        """Tell which modules the release was found to need, by what it imported so far.

        Raises
        ------
        WorkerError
            The process died.
        """

    def score(self, source: Path, *, dataset: str | None = None) -> Predictions:
        """Score an Arrow IPC file of the signature's inputs.

        Given the digest of the ``dataset`` that the file was exported from, predictions that
        this release made for it before are returned again.

        Raises
        ------
        WorkerError
            The model raised, answered with something invalid, or the process died.
        """

    def compile(self, source: Path) -> "Compilation":
        """Compile the model to ONNX, tried on the rows of an Arrow IPC file of its inputs.

        Raises
        ------
        ModelError
            It cannot be compiled, not even its last step, or what that takes is not installed.
        WorkerError
            The process died.
        """

    def predict(self, requests: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """Answer requests as one batch, as a client would be answered over HTTP.

        Raises
        ------
        WorkerError
            As for `score`; a request that breaks the signature too.
        """


class Scorer(Protocol):
    """Runs releases, each only ever in a worker."""

    def recall(self, *, release: str, dataset: str) -> Predictions | None:
        """Find what a release (its id) predicted for a dataset (its digest), if it is known."""

    def keep_only(self, releases: Collection[str]) -> int:
        """Forget what other releases than these (their ids) predicted.

        Returns how many bytes that freed.
        """

    def start(self, bundle: Path, *, release: str) -> AbstractContextManager[Worker]:
        """Start a worker on a bundle, a folder that `operations.releases` laid out.

        Before it loads anything the worker checks the runtime, and that every file is what
        ``release`` (its id) says.

        Raises
        ------
        RuntimeMismatchError
            Python or a locked package differs from what the release was cut with.
        ModelError
            The model cannot be loaded.
        WorkerError
            The bundle was tampered with, or the process died.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back over HTTP; ``document`` is None where the body was no JSON."""

    status: int
    document: Json


class Service(Protocol):
    """A release that answers over HTTP, in a process of its own."""

    def base_url(self) -> str:
        """Tell where it answers, having waited until it does.

        Raises
        ------
        ServiceError
            It did not come up, or is gone; the message ends with what it printed last.
        """

    def get(self, path: str) -> HttpAnswer:
        """Ask for a path.

        Raises
        ------
        ServiceError
            It did not come up, or is gone.
        """

    def post(self, path: str, document: Json) -> HttpAnswer:
        """Send a document; while the service says that it is busy (503), do so again.

        Raises
        ------
        ServiceError
            It did not come up, or is gone.
        """


class ReleaseServer(Protocol):
    """Serves releases, for a while."""

    def serving(self, release: str) -> AbstractContextManager[Service]:
        """Have a stored release (its id) served for as long as the block lasts.

        The service is started here, and waited for where it is asked. Whatever was started has
        ended after the block, and ends too where this process is killed.
        """
