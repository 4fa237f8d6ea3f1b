"""``python -m combine`` is the command ``combine``."""

from combine.cli.app import main

main()
