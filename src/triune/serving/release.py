"""A release that is loaded: answers each call with a reply, whatever the model does."""

import json
import os
import sys
import traceback
from pathlib import Path

import msgspec
import pandas as pd

from triune.domain.errors import ModelError
from triune.domain.frames import Call, Reply, Verb
from triune.domain.manifest import ModelRef, Outputs, Signature
from triune.domain.refusal import Refusal
from triune.domain.worker_launch import started
from triune.serving.answers import to_answers, write_answers
from triune.serving.bundle import VerifiedBundle
from triune.serving.loading import Estimator, load_model
from triune.serving.model import InvalidAnswerError, Model, Predicted
from triune.serving.requests import read_requests
from triune.serving.table import frame_from_arrow, frame_from_values


class LoadedRelease:
    """One release's model, with the signature that its inputs must keep to."""

    def __init__(self, model: Model, signature: Signature, ref: ModelRef) -> None:
        self._model = model
        self._signature = signature
        self._ignored = frozenset(name for name in (ref.key, ref.time) if name)

    @property
    def outputs(self) -> Outputs:
        """What the model answers."""
        return self._model.outputs

    def answer(self, call: Call) -> Reply:
        """Answer one call; what goes wrong is part of the reply."""
        match call.verb:
            case Verb.DESCRIBE:
                return started(self.outputs)
            case Verb.SCORE:
                return self._score(Path(call.arguments["source"]), Path(call.arguments["target"]))
            case Verb.PREDICT:
                return self._answer_requests(call.body)

    def _score(self, source: Path, target: Path) -> Reply:
        frame = frame_from_arrow(source, self._signature)
        if isinstance(frame, Refusal):
            return _refuse(frame)
        predicted = self._predict(frame)
        if isinstance(predicted, Refusal):
            return _refuse(predicted)
        write_answers(predicted, target)
        return Reply(status=200, body=json.dumps({"rows": len(frame)}).encode())

    def _answer_requests(self, body: bytes) -> Reply:
        requests = read_requests(body, self._signature, ignored=self._ignored)
        if isinstance(requests, Refusal):
            return _refuse(requests)
        if requests.count == 0:
            return Reply(status=200, body=b"[]")
        predicted = self._predict(frame_from_values(requests.columns, self._signature))
        if isinstance(predicted, Refusal):
            return _refuse(predicted)
        answers = to_answers(predicted, self.outputs)
        return Reply(
            status=200, body=msgspec.json.encode(answers if requests.is_list else answers[0])
        )

    def _predict(self, frame: pd.DataFrame) -> Predicted | Refusal:
        try:
            return self._model.predict(frame)
        except InvalidAnswerError as error:
            return Refusal(status=500, detail=f"the model's answer is invalid: {error}")
        # The release's code may raise anything, and must not end the worker by that.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as said above
            traceback.print_exc()
            return Refusal(status=500, detail=f"the model raised {type(error).__name__}: {error}")


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
        line = _line_of(cause, bundle.code)
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


def _enter(code: Path) -> None:
    """Make the release's code the first that imports find, and its folder the current one."""
    source = code / "src"
    sys.path[:0] = [str(code), *([str(source)] if source.is_dir() else [])]
    os.chdir(code)


def _refuse(refusal: Refusal) -> Reply:
    return Reply(status=refusal.status, body=refusal.content)
