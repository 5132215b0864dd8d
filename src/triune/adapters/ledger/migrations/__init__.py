"""The migrations of the ledger's database, run by the adapter itself."""
