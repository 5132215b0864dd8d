"""The ports on real technology: a folder for each port, a file for each technology."""
