"""Consumer to producer: each order gets its total and goes to another topic.

    python kafka_stream_transform.py [CONTEXT.json]

The callback writes with the connection's own producer: run_mod for each record
costs more and replaces `${...}` inside payloads, which come from outside. A
record is committed only after its output is safe on the brokers.
"""

import json
import sys

from datapy.mod_manager.sdk import run_mod, setup_context, setup_logging


def main() -> int:
    setup_logging("INFO", "kafka_stream_transform.py")
    path = sys.argv[1] if len(sys.argv) > 1 else "kafka_context.json"
    setup_context(path)
    with open(path, encoding="utf-8") as file:
        output_topic = json.load(file)["kafka"]["output_topic"]

    conn = run_mod("kafka_connector", {
        "bootstrap_servers": "${kafka.bootstrap_servers}",
        "security_protocol": "${kafka.security_protocol}",
        "sasl_mechanism": "${kafka.sasl_mechanism}",
        "sasl_username": "${kafka.username}",
        "sasl_password": "${kafka.password}",
        "ssl_ca_location": "${kafka.ca_cert}",
    })
    if conn["status"] != "success":
        return conn["exit_code"]

    producer = conn["artifacts"]["connection"].producer(output_topic)
    result = run_mod("kafka_consumer", {
        "connection": conn["artifacts"]["connection"],
        "topics": ["${kafka.input_topic}"],
        "group_id": "transformer",
        "on_error": "retry",
        "message_processor": lambda message: transform_and_forward(message, producer),
    })
    return result["exit_code"] if result["status"] == "error" else 0


def transform_and_forward(message: dict, producer) -> dict:
    order = json.loads(message["value"])
    transformed = {"id": order["order_id"], "total": round(order["amount"] * 1.1, 2)}
    producer.send(transformed, key=str(transformed["id"]))
    return {"status": "success"}


if __name__ == "__main__":
    sys.exit(main())
