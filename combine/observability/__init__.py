"""Logs, metrics and health checks. Knows nothing about workflows or requests."""
