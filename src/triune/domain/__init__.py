"""Frozen values and pure decisions; reads no clock, file, network or random source."""
