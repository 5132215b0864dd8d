"""Reads ``triune.yaml`` and the process environment into typed values, and alone reads them."""

from triune.config.availability import require_available
from triune.config.memory import read_memory_limit
from triune.config.model import Settings
from triune.config.project import STATE_FOLDER, has_project, load_project, require_local
from triune.config.reading import read_settings
from triune.config.schema import json_schema
from triune.domain.project import SETTINGS_FILE

__all__ = [
    "SETTINGS_FILE",
    "STATE_FOLDER",
    "Settings",
    "has_project",
    "json_schema",
    "load_project",
    "read_memory_limit",
    "read_settings",
    "require_available",
    "require_local",
]
