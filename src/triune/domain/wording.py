"""Puts counts into sentences."""


def counted(number: int, noun: str) -> str:
    """Write how many there are of something whose plural takes an s.

    Examples
    --------
    >>> counted(1, "uncommitted change"), counted(0, "event")
    ('1 uncommitted change', '0 events')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
