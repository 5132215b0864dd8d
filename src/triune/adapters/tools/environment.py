"""What a tool finds in its environment: nothing that would change what it says unseen."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Each of these tools can be told by variables to look elsewhere, or to look away; a result that
# depended on them could not be told by its digest. What pytest and coverage set for themselves
# must not reach a run that is started from within another one.
_DROPPED: Final = ("PYTHON", "PYTEST_", "COVERAGE_", "COV_CORE_", "RUFF_", "MYPY", "HYPOTHESIS_")
_COLOURS: Final = frozenset({"CLICOLOR_FORCE", "FORCE_COLOR", "PY_COLORS"})
# Where packages are found at all.
_KEPT: Final = frozenset({"PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONUSERBASE"})


def tool_environment(inherited: Mapping[str, str], *, python: str) -> dict[str, str]:
    """Take out of an environment what is not for tools; ``python`` in it is the one given."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name in _KEPT or not (name.startswith(_DROPPED) or name in _COLOURS)
    }
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(python).parent), inherited.get("PATH", os.defpath)]),
        # Bytecode would lie among what travels; unbuffered lines are shown as they are printed.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
