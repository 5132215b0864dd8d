"""What a client is told in place of an answer: an RFC 9457 problem, as a value."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from triune.domain.canonical import Json

PROBLEM_JSON: Final = "application/problem+json"

_TITLES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProblem:
    """One thing wrong with an input: the field and the row, where it can be pinned to them."""

    message: str
    field: str | None = None
    row: int | None = None

    def __str__(self) -> str:
        where = [] if self.row is None else [f"row {self.row}"]
        where += [] if self.field is None else [f"field {self.field!r}"]
        return f"{', '.join(where)}: {self.message}" if where else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no answer: an HTTP status, a sentence, and what is wrong with the input."""

    status: int
    detail: str
    errors: Sequence[InputProblem] = ()

    @property
    def document(self) -> dict[str, Json]:
        """The refusal as a JSON object."""
        return {
            "type": "about:blank",
            "title": _TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "errors": [
                {"field": error.field, "row": error.row, "message": error.message}
                for error in self.errors
            ],
        }

    @property
    def content(self) -> bytes:
        """The refusal as the body of a response."""
        return json.dumps(self.document, separators=(",", ":")).encode()
