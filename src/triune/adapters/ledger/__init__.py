"""The ledger port on a database."""
