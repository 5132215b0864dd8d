"""Reads ``triune.yaml`` and the process environment into typed values, and alone reads them."""

from triune.config.availability import require_available
from triune.config.model import Settings
from triune.config.project import SETTINGS_FILE, STATE_FOLDER, load_project, require_local
from triune.config.reading import read_settings
from triune.config.schema import json_schema

__all__ = [
    "SETTINGS_FILE",
    "STATE_FOLDER",
    "Settings",
    "json_schema",
    "load_project",
    "read_settings",
    "require_available",
    "require_local",
]
