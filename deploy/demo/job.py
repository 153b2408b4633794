"""A job: reads orders from Kafka, works out what they cost, writes invoices.

This process has no Kafka client in it. datapy_kafka.connect() finds the daemon
(DATAPY_KAFKA_ADDRESS), which polls, commits, retries and produces for the job.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import datapy_kafka
from screen import Screen


def invoice_of(order: dict[str, Any]) -> dict[str, Any]:
    """The business logic: all that a job has to know about."""
    net = order["quantity"] * order["price_cents"]
    return {"order_id": order["order_id"], "customer": order["customer"], "total_cents": round(net * 1.19)}


def main(seconds: float) -> int:
    """Runs until Ctrl+C, or for so many seconds if any are given."""
    with datapy_kafka.StreamController() as controller, datapy_kafka.connect() as kafka:
        screen = Screen(kafka, "billing")

        def handle(message: dict[str, Any]) -> dict[str, str]:
            """Called for each record. What it returns decides: commit, or retry."""
            order = json.loads(message["value"])
            if not screen.payment_works(order):
                return screen.failed(message, order, "payment service is busy")
            invoice = invoice_of(order)  # raises when there is no price: an error as well
            kafka.produce("invoices", invoice, key_value=order["customer"])
            return screen.succeeded(message, order, invoice)

        if seconds:
            threading.Timer(seconds, controller.request_stop, ["--seconds"]).start()
        with screen:
            result = kafka.consume(
                topics=["orders"],
                group_id="billing",
                handler=screen.watch(handle),
                on_error="retry",
                max_retries=2,
                retry_backoff_ms=[300, 600],
                controller=controller,
                properties={"session.timeout.ms": "6000"},
            )
        screen.summary(result, controller.stop_reason)
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
