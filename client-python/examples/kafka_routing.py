"""Routing: events go to one of two topics by their type; others are skipped.

    python kafka_routing.py [CONTEXT.json]
"""

import json
import sys

from datapy.mod_manager.sdk import run_mod, setup_context, setup_logging


def main() -> int:
    setup_logging("INFO", "kafka_routing.py")
    path = sys.argv[1] if len(sys.argv) > 1 else "kafka_context.json"
    setup_context(path)
    with open(path, encoding="utf-8") as file:
        topics = json.load(file)["kafka"]

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

    producer = conn["artifacts"]["connection"].producer()
    routes = {"ACCOUNT_ADD": topics["account_topic"], "CUSTOMER_ADD": topics["customer_topic"]}

    def route_message(message: dict) -> dict:
        event = json.loads(message["value"])
        topic = routes.get(event.get("event_type"))
        if topic is not None:
            producer.send(event, key=message["key"], topic=topic)
        return {"status": "success"}

    result = run_mod("kafka_consumer", {
        "connection": conn["artifacts"]["connection"],
        "topics": ["${kafka.input_topic}"],
        "group_id": "event-router",
        "message_processor": route_message,
    })
    return result["exit_code"] if result["status"] == "error" else 0


if __name__ == "__main__":
    sys.exit(main())
