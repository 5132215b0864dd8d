"""Adapters of the Scorer port."""
