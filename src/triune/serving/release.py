"""A release that is loaded: answers each call with a reply, whatever the model does."""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, Final, NamedTuple

import msgspec
import pandas as pd

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
from triune.serving.model import InvalidAnswerError, Model, Predicted
from triune.serving.requests import RequestReader, Requests
from triune.serving.table import frame_from_arrow, frame_from_values

SOURCE: Final = "src"


class LoadedRelease:
    """One release's model, with the signature that its inputs must keep to."""

    def __init__(self, model: Model, signature: Signature, ref: ModelRef) -> None:
        self._model = model
        self._signature = signature
        ignored = frozenset(name for name in (ref.key, ref.time) if name)
        self._reader = RequestReader(signature, ignored=ignored)

    @property
    def outputs(self) -> Outputs:
        """What the model answers."""
        return self._model.outputs

    def answer(self, call: Call) -> Reply:
        """Answer one call; what goes wrong is part of the reply."""
        match call.verb:
            case Verb.SCORE:
                return self._score(Path(call.arguments["source"]), Path(call.arguments["target"]))
            case Verb.PREDICT:
                (answered,) = self._answer_bodies([call.body])
                return Reply(status=answered.status, body=answered.body)
            case Verb.BATCH:
                started = perf_counter()
                answers = self._answer_bodies(unpack_requests(call.body))
                batch = AnsweredBatch(tuple(answers), perf_counter() - started)
                return Reply(status=200, body=pack_answers(batch))

    def _score(self, source: Path, target: Path) -> Reply:
        frame = frame_from_arrow(source, self._signature)
        if isinstance(frame, Refusal):
            return _refuse(frame)
        predicted = self._predict(frame)
        if isinstance(predicted, _Failed):
            return _refuse(predicted.refusal)
        write_answers(predicted, target)
        return Reply(status=200, body=json.dumps({"rows": len(frame)}).encode())

    def _answer_bodies(self, bodies: Sequence[bytes]) -> list[Answered]:
        """Answer bodies as one batch; where that fails each by itself, so that one is to blame."""
        read = [self._reader.read(body) for body in bodies]
        requests = [each for each in read if isinstance(each, Requests)]
        answers = iter(self._answer_requests(requests))
        return [_refused(each) if isinstance(each, Refusal) else next(answers) for each in read]

    def _answer_requests(self, requests: Sequence[Requests]) -> list[Answered]:
        if not any(each.count for each in requests):
            return [Answered(200, b"[]") for _ in requests]
        predicted = self._predict(
            frame_from_values(_together([each.columns for each in requests]), self._signature)
        )
        if isinstance(predicted, _Failed):
            if len(requests) == 1:
                return [_refused(predicted.refusal, predicted.failure)]
            return [answered for each in requests for answered in self._answer_requests([each])]
        rows = iter(to_answers(predicted, self.outputs))
        return [
            Answered(
                200,
                msgspec.json.encode(list(islice(rows, each.count)) if each.is_list else next(rows)),
            )
            for each in requests
        ]

    def _predict(self, frame: pd.DataFrame) -> "Predicted | _Failed":
        try:
            return self._model.predict(frame)
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


def open_release(bundle: VerifiedBundle) -> LoadedRelease:
    """Put a verified release's code on the import path, and load its model.

    Raises
    ------
    ModelError
        The model cannot be loaded, or is not what the release says of it.
    """
    _enter(bundle.code)
    ref, declared = bundle.model, bundle.signature.outputs
    model = Model(_load(bundle), task=ref.task)
    # A draft, whose worker is asked what its model answers, declares nothing yet.
    if declared not in (Outputs(), model.outputs):
        raise ModelError(
            f"{ref.path} answers {model.outputs}, where the release says {declared}; "
            "cut it again with `triune run`"
        )
    return LoadedRelease(model, bundle.signature, ref)


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


def _together(columns: Sequence[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    if len(columns) == 1:
        return columns[0]
    return {name: [value for each in columns for value in each[name]] for name in columns[0]}


def _refused(refusal: Refusal, failure: Failure | None = None) -> Answered:
    return Answered(refusal.status, refusal.content, failure)


def _refuse(refusal: Refusal) -> Reply:
    return Reply(status=refusal.status, body=refusal.content)
