"""Tells under which account of the machine this process runs."""

import getpass
import os


def account_name() -> str:
    """Name the account, by its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())
