"""Which customers will leave: data, features and model."""
