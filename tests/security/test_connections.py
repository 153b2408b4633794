"""Every way to log in works: checked, written with, read with, committed."""

from __future__ import annotations

from typing import Any

import datapy_kafka
import pytest
from support.kafka_security import MECHANISMS
from support.secured import RunMod, Secured, secrets_in
from support.verify import committed

WAYS = ("PLAINTEXT", "SSL", "mutual TLS", "certificate chain", "encrypted key",
        *(f"{listener} {mechanism}" for listener in ("SASL_PLAINTEXT", "SASL_SSL") for mechanism in MECHANISMS))


@pytest.mark.parametrize("way", WAYS)
def test_a_record_goes_out_and_comes_back(secured: Secured, run_mod: RunMod, unique: str, way: str) -> None:
    result = run_mod("kafka_connector", secured.ways()[way])
    if "SCRAM" in way and not secured.scram_works():
        assert (result["status"], result["exit_code"]) == ("error", 32)
        message = result["errors"][0]["message"]
        assert "check the user name and the password" in message
        assert "Kafka 4.x, which refuses SCRAM from librdkafka older than 2.6.1" in message
        assert secrets_in(str(result)) == []
        return
    assert result["status"] == "success", result["errors"]
    assert result["metrics"]["broker_count"] == 1
    connection = result["artifacts"]["connection"]
    topic = secured.kafka.create_topic(unique)

    sent = run_mod("kafka_producer", {"connection": connection, "topic": topic, "data": [{"n": 1}, {"n": 2}]})
    assert sent["status"] == "success", sent["errors"]
    values: list[Any] = []

    with datapy_kafka.StreamController() as controller:
        def process(message: dict[str, Any]) -> None:
            values.append(message["value"])
            if len(values) == 2:
                controller.request_stop()

        read = run_mod("kafka_consumer", {"connection": connection, "topics": [topic], "group_id": unique,
                                          "message_processor": process, "controller": controller,
                                          "connect_timeout_s": 30.0})
    assert read["status"] == "success", read["errors"]
    assert values == ['{"n":1}', '{"n":2}']
    assert committed(secured.kafka.bootstrap_servers, unique, topic) == {0: 2}
    assert secrets_in(repr(result) + repr(sent) + repr(read)) == []
