"""Real parts for the tests: a Kafka, the daemon, jobs, a proxy, a checker's eyes."""
