"""Triune: continuous delivery for machine learning."""

__version__ = "0.1.0"
