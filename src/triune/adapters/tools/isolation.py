"""Keeps a user's own settings out of checks: they are no part of the project."""

import site
from pathlib import Path


def no_home(folder: Path) -> dict[str, str]:
    """Make variables under which a tool finds nothing of the user's; ``folder`` is empty.

    Packages that are installed for the user alone are still found.
    """
    home = str(folder / "home")
    return {"HOME": home, "XDG_CONFIG_HOME": home, "PYTHONUSERBASE": site.getuserbase()}
