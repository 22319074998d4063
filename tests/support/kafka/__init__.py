"""Kafka for the tests: throw-away brokers and topics, readers of topics, the bus's contract harness."""
