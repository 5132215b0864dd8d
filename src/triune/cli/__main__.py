"""`python -m triune.cli`: the command, for where its script is not on the path."""

from triune.cli.main import main

main()
