"""What the head of a request says, and the heads that were read before, known by their bytes."""

from typing import Final

_END: Final = b"\r\n\r\n"
_LONGEST: Final = 1024
_MOST: Final = 256


class Head:
    """What is wanted of a request's head; it does not change once it is read."""

    __slots__ = (
        "content_length",
        "content_type",
        "expect",
        "is_kept",
        "key",
        "method",
        "path",
        "query",
        "release",
        "token",
    )

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.query = b""
        self.content_type = self.content_length = self.expect = b""
        self.key = self.release = self.token = b""
        self.is_kept = True


class KnownHeads:
    """Heads that need no parser: a client repeats its own byte for byte, with another body.

    Few are remembered, and none that is long, or that names a key, a release or a token.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Head, int]] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Part what is one whole request, and nothing else, into its head and its body.

        ``data`` begins where a request may begin. None where its head is not known, or its body
        is not there as a whole.
        """
        end = data.find(_END, 0, _LONGEST) + len(_END)
        known = self._known.get(data[:end])
        if known is None or len(data) - end != known[1]:
            return None
        return known[0], data[end:]

    def remember(self, data: bytes, head: Head) -> None:
        """Remember the head that the parser read last, and in ``data``, if that is all there is.

        It is if just as many bytes follow the first empty line as the head says that its body has:
        were there more requests, or another end of the head, there would be more.
        """
        length = head.content_length
        is_rare = bool(head.key or head.release or head.token or head.expect)
        if is_rare or not head.is_kept or not length.isdigit():
            return
        end = data.find(_END, 0, _LONGEST) + len(_END)
        if int(length) != len(data) - end:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[data[:end]] = head, int(length)
