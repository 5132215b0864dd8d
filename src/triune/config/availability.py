"""Knows what ``triune.yaml`` can say and Triune cannot do yet: a table that gets shorter."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from triune.config.document import Document, Location
from triune.config.model import Settings
from triune.domain.canonical import Json
from triune.domain.errors import NotAvailableYetError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A key that is not built yet, or only some values of it; ``what`` names those."""

    key: str
    when: Callable[[Json], bool] = lambda _: True
    what: str = ""


PENDING: Final = (
    Pending(
        key="runtime.on_mismatch",
        when=lambda value: value == "build",
        what="building the runtime",
    ),
    Pending(
        key="model.artifact",
        when=lambda value: PurePosixPath(value).suffix == ".onnx",
        what="an ONNX model",
    ),
    Pending(
        key="model.artifact",
        when=lambda value: not PurePosixPath(value).suffix,
        what="an MLflow model folder",
    ),
    Pending(
        key="gate.reuse",
        when=lambda value: value != "count",
        what="paying for looks in another way than counting",
    ),
    Pending(
        key="gate.on_retrain",
        when=lambda value: value != "non_inferior",
        what="another mode for retraining",
    ),
    Pending(key="integration.contract"),
    Pending(key="integration.load"),
    Pending(key="serve.kind", when=lambda value: value == "app", what="serving an app"),
    Pending(key="monitor"),
    Pending(key="retrain"),
    Pending(key="notify"),
)


def require_available(settings: Settings) -> None:
    """Refuse what is known and not built yet, instead of ignoring it.

    Raises
    ------
    NotAvailableYetError
        ``problems`` names each such key and its line.
    """
    problems = sorted(_pending(settings.document), key=lambda problem: problem.line)
    if problems:
        raise NotAvailableYetError.listing(problems)


def _pending(document: Document) -> Iterator[Problem]:
    for entry in PENDING:
        place: Location = tuple(entry.key.split("."))
        value = document.at(place)
        if value is not None and entry.when(value):
            what = f"{entry.what} is " if entry.what else ""
            yield document.problem(place, f"{what}not available yet; remove it for now")
