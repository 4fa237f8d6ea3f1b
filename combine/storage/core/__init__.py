"""The connection to PostgreSQL and what every query uses."""
