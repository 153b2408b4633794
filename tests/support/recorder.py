"""The job of the tests: consumes through the daemon and journals what it does.

Arguments: the journal's path, and the parameters of consume() as JSON, with
these besides:
  fail      {"value": times}: the record with that value fails so often; -1: always
  sleep_s   how long each record takes
  silent    true: no entries for records, only the result
  connect_timeout_s  of connect()
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import uuid
from collections import Counter
from typing import Any

import datapy_kafka


def main() -> int:
    """Runs until it is told to stop; 0 when the run was in order."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
    options: dict[str, Any] = json.loads(sys.argv[2])
    failing: dict[str, int] = options.pop("fail", {})
    sleep_s: float = options.pop("sleep_s", 0.0)
    silent: bool = options.pop("silent", False)
    connect_timeout_s: float | None = options.pop("connect_timeout_s", None)
    run = uuid.uuid4().hex[:8]
    failures: Counter[str] = Counter()

    def write(event: str, **fields: Any) -> None:
        os.write(journal, (json.dumps({"event": event, "run": run, **fields}) + "\n").encode())

    def handle(message: dict[str, Any]) -> dict[str, str]:
        value = message["value"]
        place = {"topic": message["topic"], "partition": message["partition"], "offset": message["offset"]}
        if not silent:
            write("begin", **place)
        if sleep_s:
            time.sleep(sleep_s)
        if value in failing and (failing[value] < 0 or failures[value] < failing[value]):
            failures[value] += 1
            write("fail", **place, value=value)
            return {"status": "error", "error": f"told to fail at {value}"}
        if not silent:
            write("done", **place, key=_text(message["key"]), value=_text(value))
        return {"status": "success"}

    with datapy_kafka.connect(connect_timeout_s=connect_timeout_s) as kafka:
        try:
            result = kafka.consume(handler=handle, **options)
        except datapy_kafka.KafkaSidecarError as error:
            logging.exception("consume() failed")
            told = error.result
            result = told if isinstance(told, datapy_kafka.ConsumeResult) else datapy_kafka.ConsumeResult(error=error)
    fields = vars(result) | {"committed": {f"{topic}-{each}": offset
                                           for (topic, each), offset in result.committed.items()}}
    write("result", result=json.loads(json.dumps(fields, default=str)))
    return 0 if result.clean and not result.error else 1


def _text(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value if value is None else value[:100]


if __name__ == "__main__":
    sys.exit(main())
