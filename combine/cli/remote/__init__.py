"""The commands at a server: the ports of ``cli/ports.py`` over HTTP."""
