"""The examples in the pages for users print what the pages say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from console_blocks import Example, faults, matches, read_examples, run_examples

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def examples_folder(tmp_path):
    """A folder as a reader has it: the example briefs, and nothing of this machine's settings."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMBINE_", "ANTHROPIC_", "OPENAI_", "PYTEST_"))
    }
    environment |= {
        "PATH": f"{BIN}{os.pathsep}{environment['PATH']}",
        "HOME": str(tmp_path),
        "COMBINE_DATA_DIR": str(tmp_path / "data"),
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    yield tmp_path, environment
    if (tmp_path / "data").exists():
        subprocess.run([BIN / "combine", "db", "stop"], env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("page", ["README.md", "docs/using.md"])
def test_the_examples_of_the_page_run(page, examples_folder):
    folder, environment = examples_folder
    examples = read_examples((ROOT / page).read_text(encoding="utf-8"))
    if examples:
        assert faults(examples, run_examples(examples, folder, environment), folder) == []


PAGE = """\
```console
$ x=5; echo one \\
  two
one two
$ echo $x; echo at 12:30:01
5
at 08:00:00
```

<!-- not run -->
```console
$ rm -rf everything
```

```console exit=3
$ printf 'a\\nb\\nc\\n'; exit_code() { return 3; }; exit_code
a
...
```
"""


def test_examples_share_one_shell_and_differ_in_times(tmp_path):
    examples = read_examples(PAGE)
    assert [example.exit_code for example in examples] == [0, 0, 3]
    assert faults(examples, run_examples(examples, tmp_path, dict(os.environ)), tmp_path) == []


@pytest.mark.parametrize(
    ("command", "expected", "word"),
    [("echo a", ("b",), "printed"), ("echo a; false", ("a",), "exit code 1"), ("exit 0", (), "the shell ended here")],
)
def test_another_outcome_is_a_fault(tmp_path, command, expected, word):
    examples = [Example(1, command, expected, 0)]
    [fault] = faults(examples, run_examples(examples, tmp_path, dict(os.environ)), tmp_path)
    assert word in fault


def test_dots_stand_for_lines_and_for_text():
    assert matches(["a", "...", "z ... 9"], ["a", "b", "c", "z is 9"])
    assert not matches(["a", "...", "z"], ["a", "b"])
