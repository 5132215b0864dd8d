"""`python -m triune.gateway`: the standing gateway of an environment, in a folder of its own."""

import logging
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Final

from triune.domain.errors import TriuneError, UsageError
from triune.gateway.pin_token import read_pin_token
from triune.gateway.serve import Station, stand

USAGE_EXIT: Final = 2
FAULT_EXIT: Final = 4


def main() -> int:
    """Run until told to stop, and return the exit code."""
    arguments = _parser().parse_args()
    # The terminal that it was started from may close; it stands until it is told otherwise.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    host, port = arguments.listen
    token: Path | None = arguments.pin_token_file
    try:
        stand(
            Station(
                folder=arguments.folder,
                host=host,
                port=port,
                replicas=arguments.replicas,
                memory_bytes=arguments.memory,
                pin_token=None if token is None else read_pin_token(token),
            )
        )
    except TriuneError as fault:
        sys.stderr.write(f"triune.gateway: {fault}\n")
        return USAGE_EXIT if isinstance(fault, UsageError) else FAULT_EXIT
    except OSError as error:
        sys.stderr.write(f"triune.gateway: {error}; make room or give access there\n")
        return FAULT_EXIT
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m triune.gateway", description=__doc__)
    parser.add_argument(
        "--listen",
        type=_address,
        required=True,
        metavar="HOST:PORT",
        help="where clients are answered; port 0 takes a free one",
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="where its socket, its state and its log are"
    )
    parser.add_argument("--replicas", type=_positive, default=1, help="workers for each release")
    parser.add_argument("--memory", type=_positive, help="bytes that each worker may allocate")
    parser.add_argument(
        "--pin-token-file", type=Path, help="holds the token that lets a request choose its release"
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise ArgumentTypeError(f"{text!r} is no address; give HOST:PORT, such as 127.0.0.1:8702")
    return host, int(port)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
