"""One module for each revision of the ledger's database, none ever edited once released."""
