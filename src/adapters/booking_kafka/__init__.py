"""The event bus over Apache Kafka, or another broker with its protocol. May import booking_core and kafka-python."""
