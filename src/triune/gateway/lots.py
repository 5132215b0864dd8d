"""Draws lots for requests that have no key to be assigned by."""

import os
import struct
from typing import Final

_AT_ONCE: Final = 512
_NUMBERS: Final = struct.Struct(f"{_AT_ONCE}Q")
_PLACES: Final = 2**53


class Lots:
    """Places in [0, 1), each as likely as any; whoever cannot foresee them cannot choose an arm.

    The system is asked for many at once: for one alone it costs more than all else of a choice.
    """

    def __init__(self) -> None:
        self._left: list[float] = []

    def draw(self) -> float:
        """Draw one."""
        if not self._left:
            numbers = _NUMBERS.unpack(os.urandom(_NUMBERS.size))
            self._left = [(number >> 11) / _PLACES for number in numbers]
        return self._left.pop()
