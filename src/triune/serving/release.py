"""A release that is loaded: answers each call with a reply, whatever the model does."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from triune.domain.errors import ModelError
from triune.domain.failures import Failure
from triune.domain.frames import (
    Answered,
    AnsweredBatch,
    Call,
    Reply,
    Verb,
    pack_answers,
    unpack_requests,
)
from triune.domain.manifest import ModelRef, Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.answers import to_answers, write_answers
from triune.serving.bundle import VerifiedBundle
from triune.serving.code import VerifiedCode, import_from
from triune.serving.loading import Estimator, load_model
from triune.serving.predicted import InvalidAnswerError, Predicted
from triune.serving.references import References
from triune.serving.requests import RequestReader, Requests, columns_of
from triune.serving.stopwatch import Stopwatch

if TYPE_CHECKING:
    from triune.serving.compiled import Graph

SOURCE: Final = "src"

_ENCODER: Final = msgspec.json.Encoder()


class Predictor(Protocol):
    """A loaded model: it reads tables of its own kind, and answers them."""

    @property
    def outputs(self) -> Outputs:
        """What it answers."""

    def read_values(self, columns: dict[str, list[Any]]) -> Any:
        """Make a table of values that were checked against the signature."""

    def read_file(self, source: Path) -> Any:
        """Make a table of an Arrow IPC file; or say why not, as a `Refusal`."""

    def predict(self, table: Any) -> Predicted:
        """Predict a table as one batch.

        Raises
        ------
        InvalidAnswerError
            The answer cannot be right.
        Exception
            Whatever the release's own code raises.
        """


class LoadedRelease:
    """One release's model, with the signature that its inputs must keep to.

    ``original`` is the model as it was trained; a release that is wholly compiled loads none.
    ``list_needs`` lists the modules that it needs, where they were noted.
    """

    def __init__(
        self,
        predictor: Predictor,
        signature: Signature,
        ref: ModelRef,
        *,
        original: Estimator | None = None,
        list_needs: Callable[[], dict[str, list[str]]] | None = None,
    ) -> None:
        self._predictor = predictor
        self._original = original
        self._list_needs = list_needs
        self._ref = ref
        self._signature = signature
        self._names = tuple(field.name for field in signature.inputs)
        ignored = frozenset(name for name in (ref.key, ref.time) if name)
        self._reader = RequestReader(signature, ignored=ignored)
        self._stopwatch = Stopwatch()

    @property
    def outputs(self) -> Outputs:
        """What the model answers."""
        return self._predictor.outputs

    def answer(self, call: Call) -> Reply:
        """Answer one call; what goes wrong is part of the reply."""
        match call.verb:
            case Verb.SCORE:
                return self._score(Path(call.arguments["source"]), Path(call.arguments["target"]))
            case Verb.COMPILE:
                return self._compile(Path(call.arguments["source"]), Path(call.arguments["target"]))
            case Verb.NEEDS:
                return self._needs()
            case Verb.PREDICT:
                (answered,) = self._answer_bodies([call.body])
                return Reply(status=answered.status, body=answered.body)
            case Verb.BATCH:
                began = self._stopwatch.start()
                answers = self._answer_bodies(unpack_requests(call.body))
                batch = AnsweredBatch(tuple(answers), self._stopwatch.since(began))
                return Reply(status=200, body=pack_answers(batch))

    def _score(self, source: Path, target: Path) -> Reply:
        table = self._predictor.read_file(source)
        if isinstance(table, Refusal):
            return _refuse(table)
        predicted = self._predict(table)
        if isinstance(predicted, _Failed):
            return _refuse(predicted.refusal)
        write_answers(predicted, target)
        return Reply(status=200, body=json.dumps({"rows": len(predicted.labels)}).encode())

    def _compile(self, source: Path, target: Path) -> Reply:
        """Compile the model into a file, on rows of an Arrow IPC file to try it on."""
        try:
            from triune.serving.compiling import compile_model  # noqa: PLC0415 - at a cut alone

            compiled = compile_model(
                self._original, source, signature=self._signature, task=self._ref.task
            )
        except ModuleNotFoundError as error:
            return _refuse(
                Refusal(
                    status=501,
                    detail=f"compiling a model needs {error.name}, which is not installed: "
                    "`pip install 'triune[onnx]'`",
                )
            )
        except ModelError as error:
            return _refuse(Refusal(status=422, detail=str(error)))
        target.write_bytes(compiled.content)
        steps = {"compiled": compiled.compiled, "python": compiled.python}
        return Reply(status=200, body=json.dumps(steps).encode())

    def _needs(self) -> Reply:
        if self._list_needs is None:
            return _refuse(
                Refusal(status=409, detail="this worker was not told to note what its model needs")
            )
        return Reply(status=200, body=json.dumps(self._list_needs()).encode())

    def _answer_bodies(self, bodies: Sequence[bytes]) -> list[Answered]:
        """Answer bodies as one batch; where that fails each by itself, so that one is to blame."""
        read = [self._reader.read(body) for body in bodies]
        requests = [each for each in read if isinstance(each, Requests)]
        answers = iter(self._answer_requests(requests))
        return [_refused(each) if isinstance(each, Refusal) else next(answers) for each in read]

    def _answer_requests(self, requests: Sequence[Requests]) -> list[Answered]:
        values = [row for each in requests for row in each.rows]
        if not values:
            return [Answered(200, b"[]") for _ in requests]
        predicted = self._predict(self._predictor.read_values(columns_of(self._names, values)))
        if isinstance(predicted, _Failed):
            if len(requests) == 1:
                return [_refused(predicted.refusal, predicted.failure)]
            return [self._answer_alone(each) for each in requests]
        # No line break stands within a document: in JSON it is always escaped.
        written = _ENCODER.encode_lines(to_answers(predicted, self.outputs)).split(b"\n")
        rows = iter(written)
        return [
            Answered(200, b"[%b]" % b",".join(islice(rows, each.count)))
            if each.is_list
            else Answered(200, next(rows))
            for each in requests
        ]

    def _answer_alone(self, request: Requests) -> Answered:
        began = self._stopwatch.start()
        (answered,) = self._answer_requests([request])
        return msgspec.structs.replace(answered, alone_s=self._stopwatch.since(began))

    def _predict(self, table: Any) -> "Predicted | _Failed":
        try:
            return self._predictor.predict(table)
        except InvalidAnswerError as error:
            return _Failed(Failure.INVALID, f"the model's answer is invalid: {error}")
        # The release's code may raise anything, and must not end the worker by that.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as said above
            traceback.print_exc()
            return _Failed(Failure.ERROR, f"the model raised {type(error).__name__}: {error}")


class _Failed(NamedTuple):
    """Why there is no prediction."""

    failure: Failure
    detail: str

    @property
    def refusal(self) -> Refusal:
        """What whoever asked is told."""
        return Refusal(status=500, detail=self.detail)


def open_release(bundle: VerifiedBundle, *, notes_needs: bool = False) -> LoadedRelease:
    """Put a verified release's code on the import path, and load its model.

    With ``notes_needs`` it can be asked what that took.

    Raises
    ------
    ModelError
        The model cannot be loaded, or is not what the release says of it.
    """
    ref, signature, compiled = bundle.model, bundle.signature, bundle.model.compiled
    if compiled is not None and compiled.is_whole:
        return LoadedRelease(_compiled_predictor(bundle), signature, ref)
    # Frames are loaded only where they are needed, and before the release's code could stand in
    # for what that takes.
    from triune.serving.frame_model import CompiledTail, FrameModel  # noqa: PLC0415 - as said
    from triune.serving.model import Model  # noqa: PLC0415 - as said above

    graph = _load_graph(bundle)
    _enter(bundle.code)
    references = References() if notes_needs else None
    original = _load(bundle)
    model = Model(original, task=ref.task)
    # A draft, whose worker is asked what its model answers, declares nothing yet.
    if signature.outputs not in (Outputs(), model.outputs):
        raise ModelError(
            f"{ref.path} answers {model.outputs}, where the release says {signature.outputs}; "
            "cut it again with `triune run`"
        )
    if compiled is None or graph is None:
        list_needs = partial(references.find, bundle) if references else None
        return LoadedRelease(
            FrameModel(model, signature), signature, ref, original=original, list_needs=list_needs
        )
    first = original.steps[: len(compiled.python)]
    tail = CompiledTail(first, graph, outputs=model.outputs, task=ref.task)
    return LoadedRelease(FrameModel(tail, signature), signature, ref)


def _compiled_predictor(bundle: VerifiedBundle) -> Predictor:
    from triune.serving.compiled import CompiledModel  # noqa: PLC0415 - only where it is needed

    graph = _load_graph(bundle)
    assert graph is not None
    return CompiledModel(graph, bundle.signature, task=bundle.model.task)


def _load_graph(bundle: VerifiedBundle) -> "Graph | None":
    if bundle.compiled_content is None:
        return None
    from triune.serving.compiled import Graph  # noqa: PLC0415 - only where it is needed

    return Graph(bundle.compiled_content)


def _load(bundle: VerifiedBundle) -> Estimator:
    ref = bundle.model
    try:
        return load_model(ref.path, bundle.model_content, format=ref.format)
    except ModelError as error:
        cause = error.__cause__
        line = _line_of(cause, bundle.code.folder)
        if cause is None or line is None or isinstance(cause, ModuleNotFoundError):
            raise
        raise ModelError(
            f"{ref.path} cannot be loaded: {line} of the release's code raised "
            f"{type(cause).__name__}: {cause}; mend it, and cut a release with `triune run`"
        ) from cause


def _line_of(error: BaseException | None, code: Path) -> str | None:
    """Name the line of the release's code that raised an error, if one of them did."""
    if error is None:
        return None
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        lines.append((error.filename, error.lineno))
    return next(
        (
            f"{Path(name).relative_to(code)}, line {line},"
            for name, line in reversed(lines)
            if Path(name).is_relative_to(code)
        ),
        None,
    )


def _enter(code: VerifiedCode) -> None:
    """Make the release's code the first that imports find, and its folder the current one."""
    import_from(code)
    source = [str(code.folder / SOURCE)] if SOURCE in code.folders else []
    sys.path[:0] = [str(code.folder), *source]
    # What a model was trained with in `__main__` is not here, and our own names are no stand-ins.
    sys.modules["__main__"] = ModuleType("__main__")
    os.chdir(code.folder)


def _refused(refusal: Refusal, failure: Failure | None = None) -> Answered:
    return Answered(refusal.status, refusal.content, failure)


def _refuse(refusal: Refusal) -> Reply:
    return Reply(status=refusal.status, body=refusal.content)
