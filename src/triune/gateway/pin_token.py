"""The token that lets a request choose its release, read from a file: arguments are seen by all."""

from pathlib import Path

from triune.domain.errors import UsageError


def read_pin_token(path: Path) -> str:
    """Read the token.

    Raises
    ------
    UsageError
        There is none.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the token in {path}: {error}; write one line of ASCII into it"
        ) from error
    if not token:
        raise UsageError(f"{path} holds no token; write one line of ASCII into it")
    return token
