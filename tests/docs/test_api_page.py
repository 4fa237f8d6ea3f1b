"""The page about the HTTP API is what the server says of itself."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_in_step_with_the_server():
    script = [sys.executable, str(ROOT / "scripts" / "api_reference.py"), "--check"]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
