"""docs/reference: every code, key and field of the program has its entry, and nothing else has one."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from combine.llm.script_file import load_script

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "combine").rglob("*.py"))
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
GIVES_A_CODE = {"Fault", "fault", "_fault", "refuse", "_bad", "_refuse", "finding"}
TUPLES_BEGIN_WITH_A_CODE = re.compile(
    r"(checks/(?!walk|known|numbers|vague)\w+|prompts/(reply_json|reply_questions|replies))\.py$"
)


def text_of(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_code(text):
    return text is not None and CODE.fullmatch(text) is not None


def codes_in(path):
    """(code, line) of every literal that stands where codes stand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: text_of(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    top = {id(node.value) for node in tree.body if isinstance(node, ast.Assign)}

    def literals(value):
        if isinstance(value, ast.IfExp):
            return literals(value.body) + literals(value.orelse)
        return [constants.get(value.id) if isinstance(value, ast.Name) else text_of(value)]

    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Call):
            for word in node.keywords:
                if word.arg in {"code", "reason_code"}:
                    found += literals(word.value)
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in GIVES_A_CODE:
                found += [text_of(one) for one in node.args[:2]]
        elif isinstance(node, ast.ClassDef) and path.name == "errors.py":
            found += [text_of(one.value) for one in node.body if isinstance(one, ast.Assign)]
        elif isinstance(node, ast.Tuple) and TUPLES_BEGIN_WITH_A_CODE.search(path.as_posix()) and id(node) not in top:
            texts = [text_of(one) for one in node.elts]
            if len(texts) > 1 and not all(is_code(text) for text in texts):
                found.append(texts[0])
        yield from (code for code in found if is_code(code))


def given():
    return {code for path in SOURCES for code in codes_in(path)}


def documented():
    pages = ("errors.md", "workflow-definition.md")
    rows = [
        line
        for page in pages
        for line in (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8").splitlines()
        if re.match(r"\| `[a-z_0-9]+` \| [A-Z0-9`]", line)
    ]
    return [re.match(r"\| `([a-z_0-9]+)`", row)[1] for row in rows]


MADE_OF_WORDS = {"workflow_not_found", "document_type_not_found", "role_prompt_not_found", "task_prompt_not_found"}
"""The catalog makes these of what was looked for."""


def test_every_code_of_the_program_has_its_entry():
    assert given() - set(documented()) == set()


def test_every_entry_is_a_code_of_the_program():
    texts = {text_of(node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(documented()) - texts - MADE_OF_WORDS == set()


def test_the_collection_sees_each_way_of_giving_a_code(tmp_path):
    folder = tmp_path / "workflows" / "checks"
    folder.mkdir(parents=True)
    (folder / "sample.py").write_text(
        'LATER = "in_a_constant"\n'
        'NAMES = ("not_a", "code_here")\n'
        "def f(x):\n"
        '    raise Invalid("No.", code="by_keyword")\n'
        '    yield Fault("in_a_fault", "$", x)\n'
        '    yield "in_a_tuple", x\n'
        "    update(reason_code=LATER if x else OTHER)\n",
        encoding="utf-8",
    )
    assert set(codes_in(folder / "sample.py")) == {"in_a_constant", "by_keyword", "in_a_fault", "in_a_tuple"}


def test_every_key_of_a_definition_has_its_row():
    schema = json.loads((ROOT / "combine/seed/schemas/workflow-definition.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/reference/workflow-definition.md").read_text(encoding="utf-8")
    for part, heading in ((schema, "## The workflow"), (schema["$defs"]["step"], "## A step")):
        section = page.partition(heading)[2].partition("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, flags=re.MULTILINE))
        assert rows.keys() == part["properties"].keys()
        assert {name for name, need in rows.items() if need == "required"} == set(part["required"])


def test_the_documents_page_is_in_step_with_the_schemas():
    script = [sys.executable, str(ROOT / "scripts" / "documents_reference.py"), "--check"]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_script_file_of_the_page_can_be_read(tmp_path):
    page = (ROOT / "docs/reference/script-file.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "script.yaml").write_text(example, encoding="utf-8")
    for name in ("discovery.json", "requirements.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert load_script(tmp_path / "script.yaml").keys() == {"project-discovery", "requirements-doc", "*"}
