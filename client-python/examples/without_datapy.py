"""The client by itself: reads orders, writes totals. Ctrl+C ends it cleanly."""

import json

import datapy_kafka

with datapy_kafka.connect() as kafka:
    totals = kafka.producer("totals")

    def handle(message):
        order = json.loads(message["value"])
        totals.send({"id": order["order_id"], "total": order["amount"]}, key=message["key"])

    print(kafka.consume(topics=["orders"], group_id="totals", handler=handle))
