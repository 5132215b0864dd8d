"""Reads the repository that holds a project's code."""
