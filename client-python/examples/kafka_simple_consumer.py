"""Consumer to database: each order of a topic becomes a row.

    python kafka_simple_consumer.py [CONTEXT.json]

Ctrl+C or SIGTERM ends it after the order at hand.
"""

import json
import sqlite3
import sys

from datapy.mod_manager.sdk import run_mod, setup_context, setup_logging

DATABASE = sqlite3.connect("orders.db", isolation_level=None)


def main() -> int:
    setup_logging("INFO", "kafka_simple_consumer.py")
    setup_context(sys.argv[1] if len(sys.argv) > 1 else "kafka_context.json")
    DATABASE.execute("CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, amount REAL)")

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

    result = run_mod("kafka_consumer", {
        "connection": conn["artifacts"]["connection"],
        "topics": ["${kafka.input_topic}"],
        "group_id": "orders-to-db",
        "message_processor": process_to_db,
    })
    return result["exit_code"] if result["status"] == "error" else 0


def process_to_db(message: dict) -> dict:
    order = json.loads(message["value"])
    # A record may come twice after a crash: the key makes the second one harmless.
    DATABASE.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", (str(order["order_id"]), order["amount"]))
    return {"status": "success"}


if __name__ == "__main__":
    sys.exit(main())
