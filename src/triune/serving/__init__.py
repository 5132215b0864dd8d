"""Runs one release in a process of its own: verify, load, predict; protocols apart from HTTP."""
