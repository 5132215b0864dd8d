"""The process that traffic meets: it forwards bytes to workers and never parses a body."""
