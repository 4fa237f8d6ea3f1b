"""Logs and metrics. Knows nothing of workflows or requests."""
