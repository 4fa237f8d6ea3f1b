"""Durability: segments on DBOS, heartbeat, recovery, drain. Knows no prompt."""
