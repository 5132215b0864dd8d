"""Resolves `source` of params.yaml to what it stands for now; reads nothing of the content."""

import hashlib
import json
import sys
from pathlib import Path

from src.params import Params, read_params

GENERATED = "generated"
RESOLVED = Path("data/source.json")


class SourceError(Exception):
    """The source is not there, or cannot be used."""


def resolve(params: Params) -> dict[str, str | int]:
    """Say all that the customers depend on: the generator's parameters, or the CSV's digest.

    Raises
    ------
    SourceError
        There is no file at the path.
    """
    if params.source == GENERATED:
        generator = params.generator
        return {"kind": GENERATED, "customers": generator.customers, "seed": generator.seed}
    return {"kind": "csv", "path": params.source, "sha256": digest(Path(params.source))}


def digest(path: Path) -> str:
    """Digest the bytes of a file: 64 hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            f"cannot read {path.absolute()} ({error.strerror}): set `source` in params.yaml to "
            f"`{GENERATED}` or to the path of a CSV, relative to the project"
        ) from error


def main() -> None:
    """Write the resolved source where the next stage, and DVC, look for it."""
    resolved = resolve(read_params())
    RESOLVED.parent.mkdir(exist_ok=True)
    RESOLVED.write_text(json.dumps(resolved, indent=2) + "\n", encoding="utf-8")
    print("source:", ", ".join(f"{name} {value}" for name, value in resolved.items()))


if __name__ == "__main__":
    try:
        main()
    except SourceError as error:
        sys.exit(f"source: {error}")
