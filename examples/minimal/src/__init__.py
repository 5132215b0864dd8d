"""Features and training of the minimal project."""
