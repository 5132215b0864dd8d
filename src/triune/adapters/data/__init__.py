"""Reads datasets."""
