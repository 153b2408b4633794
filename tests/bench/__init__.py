"""The benchmark: the daemon and its client against confluent-kafka on a real broker."""
