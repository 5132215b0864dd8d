"""Runs a gateway on bundles, as `triune serve` does on releases."""

import argparse
from pathlib import Path

from triune.gateway.fleet import Served
from triune.gateway.serve import Service, serve


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--champion", nargs=2, required=True, metavar=("RELEASE", "BUNDLE"))
    parser.add_argument("--candidate", nargs=2, metavar=("RELEASE", "BUNDLE"))
    parser.add_argument("--weight", type=float, default=5.0)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--admin", type=Path)
    arguments = parser.parse_args()

    def served(pair: list[str]) -> Served:
        return Served(release=pair[0], bundle=Path(pair[1]))

    service = Service(
        champion=served(arguments.champion),
        candidate=served(arguments.candidate) if arguments.candidate else None,
        weight_pct=arguments.weight,
        port=arguments.port,
        admin=arguments.admin,
    )
    serve(service, print)


if __name__ == "__main__":
    main()
