"""Compares the Python that runs with the one that a release was cut with."""

import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version

from triune.domain.lock import mismatches, parse_lock
from triune.domain.manifest import Runtime


def describe_mismatch(runtime: Runtime, *, lock: str) -> str | None:
    """Say how this Python, platform and packages differ from a release's runtime, if they do."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if (python, platform) != (runtime.python, runtime.platform):
        return (
            f"the release runs on Python {runtime.python} ({runtime.platform}), and this is "
            f"Python {python} ({platform}); run it where Python is the same"
        )
    locked = parse_lock(lock)
    installed = {name: found for name in locked.packages if (found := _installed(name))}
    differences = mismatches(locked, installed)
    if not differences:
        return None
    listed = "; ".join(str(difference) for difference in differences)
    return (
        f"what is installed differs from the release's lock: {listed}; "
        "install what the lock names, or cut a release on what is installed: `triune run`"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
