"""Naming a release, and the folder in which one is run."""

from collections.abc import Iterable
from string import hexdigits
from typing import Final

from triune.domain.errors import UnknownReleaseError, nearest

SHORT: Final = 12
LATEST: Final = "latest"
CANDIDATE: Final = "TRIUNE_CANDIDATE"
"""The variable that tells tests which release is tried, by its id."""

# A bundle is the folder that a worker runs: the manifest, the trees, the lock and the golden
# requests that it names, and the files that the trees name, in a folder each.
BUNDLE_MANIFEST: Final = "manifest.json"
BUNDLE_LOCK: Final = "requirements.lock"
BUNDLE_GOLDEN: Final = "golden.jsonl"
BUNDLE_CODE_TREE: Final = "code.tree"
BUNDLE_MODEL_TREE: Final = "model.tree"
BUNDLE_CODE: Final = "code"
BUNDLE_MODEL: Final = "model"
BUNDLE_COMPILED: Final = "compiled.onnx"


def short(release_id: str) -> str:
    """Show a release id: its first 12 hexadecimal digits."""
    return release_id[:SHORT]


def resolve(name: str, release_ids: Iterable[str]) -> str:
    """Find the release that a prefix names.

    Raises
    ------
    UnknownReleaseError
        No release begins so, or several do.
    """
    if not set(name.lower()) <= set(hexdigits):
        raise UnknownReleaseError(
            f"{name!r} is no release id. Only releases are run and compared, never a model file "
            "from outside of the store: cut one with `triune run`, list them with "
            "`triune release list`"
        )
    known = sorted(release_ids)
    found = [release_id for release_id in known if name and release_id.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(short(release_id) for release_id in found[:5])
        raise UnknownReleaseError(
            f"{name!r} is ambiguous: {len(found)} releases begin so ({shown}); give more digits"
        )
    if not known:
        raise UnknownReleaseError(
            f"there is no release {name!r}: this project has none yet; cut one with `triune run`"
        )
    hint = nearest(name, [short(release_id) for release_id in known])
    raise UnknownReleaseError(
        f"there is no release {name!r}{hint or '; list them with `triune release list`'}"
    )
