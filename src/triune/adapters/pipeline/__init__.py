"""Makes datasets and model from code and sources."""
