"""How an arm fails a request, in the words that answers, outcomes and metrics share."""

from enum import StrEnum


class Failure(StrEnum):
    """Why a request has no answer from the release that it was assigned to."""

    ERROR = "error"
    """The model raised."""
    INVALID = "invalid"
    """It answered with what cannot be an answer: NaN, a probability above 1, a wrong shape."""
    REFUSED = "refused"
    """It refused as the client's mistake what the champion accepts."""
    TIMEOUT = "timeout"
    """It did not answer in time."""
    DIED = "died"
    """Its worker died over the request."""
    AWAY = "away"
    """No worker of it was there to be asked."""
    OVERFLOW = "overflow"
    """Its queue was full."""
