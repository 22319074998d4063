"""The store over PostgreSQL, with SQLAlchemy Core and psycopg. May import booking_core.

In layers: store; upkeep, diagnosis and outbox; writes and reads; rows and schema; driver.
"""
