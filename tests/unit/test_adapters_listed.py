"""The contract that parts the adapters names each of them."""

from configparser import ConfigParser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
# What several adapters share is none of them.
SHARED: Final = {
    "account",
    "path_patterns",
    "process",
    "process_guardian",
    "whole_files",
    "whole_folders",
}


def test_each_adapter_is_held_apart_from_the_others() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    listed = contracts["importlinter:contract:adapters"]["modules"].split()

    there = {
        path.stem
        for path in (ROOT / "src" / "triune" / "adapters").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
    }

    assert {f"triune.adapters.{name}" for name in there - SHARED} == set(listed)
    assert there >= SHARED
