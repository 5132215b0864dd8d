"""Tells whether a path or pattern of ``triune.yaml`` names a path, component by component."""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath


def covers(pattern: str, path: str) -> bool:
    """Tell whether ``path`` is what ``pattern`` names, or lies in it.

    Examples
    --------
    >>> covers("data/*.csv", "data/a.csv"), covers("data", "data/a.csv"), covers("data/a", "data")
    (True, True, False)
    """
    return _fits(_parts(pattern), _parts(path), above=False)


def overlaps(pattern: str, path: str) -> bool:
    """Tell whether ``path`` is what ``pattern`` names, lies in it, or may be a folder around it.

    Examples
    --------
    >>> overlaps("data/**/*.csv", "data/raw"), overlaps("data/a.csv", "data/b.csv")
    (True, False)
    """
    return _fits(_parts(pattern), _parts(path), above=True)


def _parts(path: str) -> tuple[str, ...]:
    return PurePosixPath(path).parts


def _fits(pattern: tuple[str, ...], path: tuple[str, ...], *, above: bool) -> bool:
    if not pattern:
        return True
    if not path:
        return above
    if pattern[0] == "**":
        return _fits(pattern[1:], path, above=above) or _fits(pattern, path[1:], above=above)
    return fnmatchcase(path[0], pattern[0]) and _fits(pattern[1:], path[1:], above=above)
