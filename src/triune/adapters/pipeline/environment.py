"""What a pipeline's commands find in their environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def stage_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Extend an environment so that ``python`` in a command is the Python that we run in."""
    return {
        **inherited,
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]
        ),
        # Bytecode would lie among what travels; unbuffered lines are shown as they are printed.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
