"""The list of messages is complete enough to be read instead of the code."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "messages.py"


def listed(*arguments):
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True).stdout


def test_messages_of_each_use_are_found(tmp_path):
    (tmp_path / "module.py").write_text(
        '''"""A module."""
class Gone(CombineError):
    """It is gone."""
def check(name):
    """A docstring."""
    log.warning("cannot read %s", name)
    typer.echo("All done here.")
    typer.Option("--name", help="Name to use.")
    step.update(reason=f"waits for {name!r} today")
    re.compile("no message")
    conn.execute("SELECT something")
    if name:
        raise _refused("is not allowed")
    raise Gone(f"{name} is gone.", code="gone", hint="Look again.")
''',
        encoding="utf-8",
    )
    assert listed(str(tmp_path)).splitlines() == [
        "module.py:3 error: It is gone.",
        "module.py:6 log: cannot read %s",
        "module.py:7 output: All done here.",
        "module.py:8 help: Name to use.",
        "module.py:9 reason: waits for {name} today",
        "module.py:13 error: is not allowed",
        "module.py:14 error: {name} is gone.",
        "module.py:14 hint: Look again.",
    ]


def test_the_package_has_messages_of_each_use():
    uses = {line.split()[1] for line in listed().splitlines()}
    assert uses >= {"error:", "hint:", "help:", "log:", "output:", "reason:"}
