"""StreamController: ends Kafka consumers on SIGTERM, SIGINT or a request.

    controller = StreamController()
    run_mod("kafka_consumer", {"controller": controller, ...})

    def my_func(message):
        if controller.should_stop():
            return {"status": "error", "error": "shutdown"}

It stores the original signal handlers; `cleanup()`, or the end of a `with`
block, restores them. A second signal ends the process at once.
"""

from datapy_kafka import StreamController

__all__ = ["StreamController"]
