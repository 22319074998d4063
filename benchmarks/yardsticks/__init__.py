"""What the figures are set against: naive pgbench for the database, the bare client for Kafka."""
