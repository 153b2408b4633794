"""The job of the chaos tests: one journal line before a record and one after it.

Arguments: the journal's path, and the parameters of consume() as JSON (with
`sleep_s`: how long a record takes). A line is one write() to a file opened for
appending, before the ack can leave: kill -9 loses none.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from typing import Any

import datapy_kafka

from chaos.history import Step


def main() -> int:
    """Runs until it is told to stop; 0 when the stop was clean."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
    options: dict[str, Any] = json.loads(sys.argv[2])
    sleep_s: float = options.pop("sleep_s", 0.0)
    run = uuid.uuid4().hex[:8]

    def write(event: str, message: dict[str, Any]) -> None:
        step = Step(event, run, message["partition"], message["offset"], message["value"], time.monotonic())
        os.write(journal, step.line().encode())

    def handle(message: dict[str, Any]) -> None:
        write("begin", message)
        if sleep_s:
            time.sleep(sleep_s)
        write("done", message)

    with datapy_kafka.connect() as kafka:
        result = kafka.consume(handler=handle, **options)
    return 0 if result.clean and not result.error else 1


if __name__ == "__main__":
    sys.exit(main())
