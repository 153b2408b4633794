"""The job of the soak: counts what it is given and ends at the first gap.

Arguments: the parameters of consume() as JSON. Exit code 2: a record was left
out, or came before its predecessor.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

import datapy_kafka


def main() -> int:
    """Runs until it is told to stop; 0 when the stop was clean."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    last: dict[int, int] = {}

    def handle(message: dict[str, Any]) -> None:
        partition, offset = message["partition"], message["offset"]
        if offset > last.get(partition, offset) + 1:
            print(f"partition {partition}: offset {offset} after {last[partition]}", flush=True)
            os._exit(2)
        last[partition] = offset

    with datapy_kafka.connect() as kafka:
        result = kafka.consume(handler=handle, **json.loads(sys.argv[1]))
    return 0 if result.clean and not result.error else 1


if __name__ == "__main__":
    sys.exit(main())
