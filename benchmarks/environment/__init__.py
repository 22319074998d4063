"""What scenarios stand on: PostgreSQL, Kafka, `booking …` in processes of its own, and rows in bulk."""
