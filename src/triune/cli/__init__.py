"""The command: parses, calls one operation, presents what it came to."""
