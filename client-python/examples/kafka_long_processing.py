"""Long processing: the callback looks at the controller between its steps.

    python kafka_long_processing.py [CONTEXT.json]

A record that is given up because of a stop is not committed: it comes again
after the restart.
"""

import json
import sys
import time

from datapy.mod_manager.sdk import run_mod, setup_context, setup_logging
from datapy.utils.stream_controller import StreamController

STEPS = 20


def main() -> int:
    setup_logging("INFO", "kafka_long_processing.py")
    setup_context(sys.argv[1] if len(sys.argv) > 1 else "kafka_context.json")

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

    with StreamController() as controller:

        def process(message: dict) -> dict:
            order = json.loads(message["value"])
            for _ in range(STEPS):
                if controller.should_stop():
                    return {"status": "error", "error": "shutdown"}
                time.sleep(0.05)  # A query, a model, a slow service.
            print(f"order {order['order_id']} is done", flush=True)
            return {"status": "success"}

        result = run_mod("kafka_consumer", {
            "connection": conn["artifacts"]["connection"],
            "topics": ["${kafka.input_topic}"],
            "group_id": "${kafka.consumer_group}",
            "controller": controller,
            "message_processor": process,
        })
    return result["exit_code"] if result["status"] == "error" else 0


if __name__ == "__main__":
    sys.exit(main())
