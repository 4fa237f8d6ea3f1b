"""The catalog: the package's own workflow, and what a user's folder adds or gets wrong."""

import hashlib
import json
from pathlib import Path

import pytest
from jsonschema_rs import meta

from combine.errors import DefinitionInvalid, NotFound
from combine.workflows.catalog import SEED_DIR, inspect_catalog, load_catalog
from combine.workflows.definition_shape import definition_schema
from combine.workflows.provider_schema import reply_schema
from combine.workflows.schema_validity import schema_faults


@pytest.fixture
def folder(tmp_path) -> Path:
    """A user's folder that is in order."""
    write(tmp_path, "prompts/roles/Lawyer.txt", "You are a lawyer.\r\nBe brief.\r\n")
    write(tmp_path, "prompts/tasks/contract-draft.txt", "Draft it.")
    write(tmp_path, "prompts/tasks/contract-review.txt", "\ufeffReview it.")
    for name in ("contract-text", "contract-review"):
        write(tmp_path, f"schemas/law/{name}.json", {"type": "object", "properties": {"a": {"type": "string"}}})
    write(tmp_path, "workflows/contract.json", contract())
    return tmp_path


def contract() -> dict:
    steps = [
        {"step_id": "draft", "role": "Lawyer", "inputs": [], "outputs": ["contract-text"]},
        {
            "step_id": "review",
            "role": "QA",
            "inputs": ["contract-text"],
            "outputs": ["contract-review"],
            "is_final": True,
        },
    ]
    return {"workflow_id": "contract", "name": "Contract", "version": "1", "steps": steps}


def write(root: Path, name: str, content: str | bytes | dict) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def faults_in(folder: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(DefinitionInvalid) as caught:
        load_catalog(folder)
    faults = caught.value.details["faults"]
    assert all(fault["message"].endswith((".", "?")) for fault in faults)
    return [(Path(fault["file"]).name, fault["code"], fault["path"]) for fault in faults]


def test_the_package_holds_the_strategy_workflow():
    catalog = load_catalog(None)
    assert "strategy-document" in catalog.workflow_ids()
    assert catalog.source("strategy-document") == "built in"
    workflow = catalog.workflow("strategy-document")
    assert [(s.step_id, s.role, s.inputs, s.output, s.is_final) for s in workflow.steps] == [
        ("discovery", "PM", (), "project-discovery", False),
        ("requirements", "BA", ("project-discovery",), "requirements-doc", False),
        ("architecture", "Architect", ("project-discovery", "requirements-doc"), "architecture-doc", False),
        ("review", "QA", ("project-discovery", "requirements-doc", "architecture-doc"), "strategy-review", True),
    ]
    assert catalog.house_rules().text.strip()
    for step in workflow.steps:
        assert catalog.role_prompt(step.role).text.strip()
        assert catalog.task_prompt(workflow.workflow_id, step.step_id).text.strip()
        assert catalog.schema(step.output).title


def test_what_ships_is_sound():
    """Loading does not check it, so this does."""
    catalog = load_catalog(None)
    meta.validate(definition_schema())
    files = sorted((SEED_DIR / "workflows").glob("*.json"))
    assert {json.loads(f.read_text("utf-8"))["workflow_id"] for f in files} == set(catalog.workflow_ids())
    for file in files:
        assert catalog.check(json.loads(file.read_text("utf-8")))[1] == []
    for document_type in catalog.document_types():
        assert schema_faults(catalog.schema(document_type).schema) == []


def test_a_users_folder_adds_to_the_package(folder):
    catalog = load_catalog(folder)
    assert catalog.workflow_ids() == tuple(sorted(["contract", *load_catalog(None).workflow_ids()]))
    assert catalog.source("contract") == str(folder / "workflows" / "contract.json")
    assert "Lawyer" in catalog.roles()
    assert "PM" in catalog.roles()
    assert catalog.task_prompt("contract", "review").text == "Review it."
    lawyer = catalog.role_prompt("Lawyer")
    assert lawyer.text == "You are a lawyer.\nBe brief.\n"
    assert lawyer.sha256 == hashlib.sha256(lawyer.text.encode()).hexdigest()
    assert catalog.schema("contract-text").title == "Contract text"
    assert catalog.schema("contract-text").sha256 != catalog.schema("strategy-review").sha256


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "prompts/roles/Lawyer.txt",
            "",
            [("Lawyer.txt", "empty_file", "$"), ("contract.json", "unknown_role", "$.steps[0].role")],
        ),
        ("prompts/roles/Extra.txt", "Stra\xdfe".encode("latin-1"), [("Extra.txt", "not_utf8", "$")]),
        ("prompts/roles/PM.txt", "Other", [("PM.txt", "name_clash", "$")]),
        ("prompts/tasks/strategy-document-review.txt", "x", [("strategy-document-review.txt", "name_clash", "$")]),
        ("schemas/law/strategy-review.json", {"type": "object"}, [("strategy-review.json", "name_clash", "$")]),
        ("schemas/law/brief.json", {"type": "object"}, [("brief.json", "name_clash", "$")]),
        ("schemas/more/contract-text.json", {"type": "object"}, [("contract-text.json", "name_clash", "$")]),
        ("schemas/law/extra.json", "[]", [("extra.json", "invalid_schema", "$")]),
        ("schemas/law/extra.json", {"type": "objekt"}, [("extra.json", "invalid_schema", "$.type")]),
        ("schemas/law/extra.json", {"type": "array"}, [("extra.json", "invalid_schema", "$.type")]),
        ("schemas/law/extra.json", "{", [("extra.json", "not_json", "$")]),
        ("workflows/other.json", '{"name": 1, "name": 2}', [("other.json", "not_json", "$")]),
        ("workflows/other.json", '{"name": NaN}', [("other.json", "not_json", "$")]),
        ("workflows/other.json", "[" * 100_000, [("other.json", "not_json", "$")]),
        ("workflows/other.json", contract(), [("other.json", "name_clash", "$.workflow_id")]),
    ],
)
def test_each_fault_of_a_file_is_named(folder, name, content, expected):
    write(folder, name, content)
    assert faults_in(folder) == expected


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"$ref": "https://example.com/x.json"}, "$.properties.a.$ref"),
        ({"$ref": "#/$defs/none"}, "$.properties.a.$ref"),
        ({"type": "string", "pattern": "("}, "$.properties.a.pattern"),
        ({"minimum": "x"}, "$.properties.a.minimum"),
    ],
)
def test_a_schema_is_usable_as_it_stands(part, path):
    (fault,) = schema_faults({"type": "object", "properties": {"a": part}})
    assert (fault.code, fault.path) == ("invalid_schema", path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"child": {"$ref": "#"}}, "recursive"),
        ({f"n{n}": {"type": "number"} for n in range(17)}, "null"),
    ],
)
def test_a_schema_that_no_provider_takes_is_a_fault_at_load(folder, fields, said):
    write(folder, "schemas/law/extra.json", {"type": "object", "properties": fields})
    assert faults_in(folder) == [("extra.json", "schema_unsupported", "$")]
    (fault,) = schema_faults({"type": "object", "properties": fields})
    assert said in fault.message


def test_a_choice_of_anything_is_no_fault():
    assert schema_faults({"type": "object", "properties": {"a": {"anyOf": [True, {"type": "null"}]}}}) == []


def test_the_envelope_of_a_type_is_made_once():
    catalog = load_catalog(None)
    asked = catalog.reply_schema("requirements-doc", ask=True)
    assert asked == reply_schema(catalog.schema("requirements-doc").schema, ask=True)
    assert catalog.reply_schema("requirements-doc", ask=True) is asked
    assert "questions" not in catalog.reply_schema("requirements-doc", ask=False)["properties"]
    with pytest.raises(NotFound):
        catalog.reply_schema("nope", ask=False)


def test_a_schema_may_have_fields_named_like_keywords():
    fields = {"pattern": {"type": "string"}, "$ref": {"$ref": "#/$defs/a~1b"}}
    assert schema_faults({"type": "object", "properties": fields, "$defs": {"a/b": {"type": "string"}}}) == []


def test_two_workflows_do_not_share_a_task_prompt(folder):
    twin = contract() | {"workflow_id": "con"}
    write(folder, "prompts/tasks/con-tract-draft.txt", "x")
    write(folder, "prompts/tasks/con-end.txt", "x")
    write(folder, "schemas/law/t.json", {"type": "object"})
    write(folder, "schemas/law/e.json", {"type": "object"})
    twin["steps"] = [
        {"step_id": "tract-draft", "role": "BA", "inputs": [], "outputs": ["t"]},
        {"step_id": "end", "role": "QA", "inputs": ["t"], "outputs": ["e"], "is_final": True},
    ]
    write(folder, "workflows/con.json", twin)
    load_catalog(folder)
    other = json.loads(json.dumps(twin).replace('"con"', '"con-tract"').replace('"tract-draft"', '"draft"'))
    write(folder, "prompts/tasks/con-tract-end.txt", "x")
    write(folder, "workflows/zz.json", other)
    assert faults_in(folder) == [("zz.json", "name_clash", "$.steps[0].step_id")]


def test_faults_of_all_files_come_at_once_and_the_rest_stays_usable(folder):
    write(folder, "schemas/law/extra.json", {"type": 3})
    write(folder, "workflows/bad.json", {"workflow_id": "bad"})
    write(folder, "prompts/roles/.hidden.txt", "")
    codes = [(file, code) for file, code, _ in faults_in(folder)]
    assert codes == [("extra.json", "invalid_schema"), *[("bad.json", "schema")] * 3]
    catalog, faults = inspect_catalog(folder)
    assert "contract" in catalog.workflow_ids()
    assert len(faults) == len(codes)


def test_a_missing_folder_is_said(tmp_path):
    assert faults_in(tmp_path / "none") == [("none", "folder_missing", "$")]


@pytest.mark.parametrize(
    ("ask", "code", "known"),
    [
        (lambda c: c.workflow("nope"), "workflow_not_found", "strategy-document"),
        (lambda c: c.source("nope"), "workflow_not_found", "strategy-document"),
        (lambda c: c.schema("nope"), "document_type_not_found", "requirements-doc"),
        (lambda c: c.role_prompt("nope"), "role_prompt_not_found", "Architect"),
        (lambda c: c.task_prompt("strategy-document", "nope"), "task_prompt_not_found", "strategy-document-review"),
    ],
)
def test_what_is_unknown_is_said_with_what_is_known(ask, code, known):
    with pytest.raises(NotFound) as caught:
        ask(load_catalog(None))
    assert caught.value.code == code
    assert known in caught.value.hint


def test_the_longest_model_prefix_decides(tmp_path):
    for name in ("claude", "claude-sonnet", "gpt"):
        write(tmp_path, f"prompts/models/{name}.txt", name)
    catalog, _ = inspect_catalog(None, seed_dir=tmp_path)
    found = {model: catalog.model_suffix(model) for model in ("claude-sonnet-5-5", "claude-opus-5", "mistral", "")}
    assert {model: asset and asset.text for model, asset in found.items()} == {
        "claude-sonnet-5-5": "claude-sonnet",
        "claude-opus-5": "claude",
        "mistral": None,
        "": None,
    }


def test_an_installation_without_house_rules_is_said(tmp_path):
    catalog, _ = inspect_catalog(None, seed_dir=tmp_path)
    with pytest.raises(NotFound, match=r"house-rules\.txt"):
        catalog.house_rules()


@pytest.mark.parametrize("name", ["prompts/house-rules.txt", "prompts/models/my-model.txt"])
def test_a_file_that_nothing_would_read_is_a_fault(folder, name):
    write(folder, name, "Be polite.")
    assert faults_in(folder) == [(Path(name).name, "not_read", "$")]
