"""Checks the project's code with programs of their own: linters, type checkers, its tests."""
