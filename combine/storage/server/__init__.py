"""The embedded server, migrations, and heartbeat."""
