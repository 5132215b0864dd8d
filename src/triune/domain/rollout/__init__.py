"""The staged introduction of a release into an environment: what moves it, and what stops it."""
