"""The datapy-kafka command."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ._client import Client, connect
from ._errors import KafkaSidecarError
from ._version import __version__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="datapy-kafka", description="Kafka for DataPy jobs through the sidecar.")
    parser.add_argument("--version", action="version", version=f"datapy-kafka {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="put the mods into a DataPy installation")
    install.add_argument("--datapy-root", type=Path, metavar="DIR",
                         help="the checkout, or the datapy package itself; "
                              "by default the datapy that this Python imports")
    what = install.add_mutually_exclusive_group()
    what.add_argument("--uninstall", action="store_true", help="take them out again")
    what.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is to do")
    status = commands.add_parser("status", help="show what the sidecar is doing")
    status.add_argument("--address", help="where it listens; by default DATAPY_KAFKA_ADDRESS")
    status.add_argument("--watch", action="store_true", help="show it again every second")
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


def _status(client: Client, watch: bool, as_json: bool) -> int:
    from google.protobuf.json_format import MessageToJson

    from ._status import render

    live = watch and sys.stdout.isatty() and not as_json
    while True:
        response = client.status()
        if as_json:
            print(MessageToJson(response, indent=None if watch else 2), flush=True)
        else:
            text = render(response, client.address, color=sys.stdout.isatty())
            print(f"\x1b[H\x1b[2J{text}" if live else text, flush=True)
        if not watch:
            return 0
        time.sleep(1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, 1 not installed, or an error's code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "status":
            return _status(connect(options.address), options.watch, options.json)
        from ._install import run

        return run(options.datapy_root, uninstall=options.uninstall, check=options.check)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except KafkaSidecarError as error:
        print(f"datapy-kafka: {error}", file=sys.stderr)
        return error.code


if __name__ == "__main__":
    sys.exit(main())
