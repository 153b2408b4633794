"""Kafka streaming mods, through the datapy-kafka-sidecar daemon."""
