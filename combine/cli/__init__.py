"""The command ``combine``: parses, calls services, prints."""
