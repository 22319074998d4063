"""The ports of booking_core over PostgreSQL: SQLAlchemy Core and psycopg."""
