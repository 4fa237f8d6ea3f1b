"""Durability: segments on DBOS, heartbeat, recovery, drain. It does not know prompts."""
