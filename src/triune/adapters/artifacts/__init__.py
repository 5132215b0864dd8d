"""The artifact store port on a file system, local or remote."""
