"""Faults of workflow definitions: all at once, each with code, path and mend."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.workflows.catalog import definition_from_json, definition_to_json
from combine.workflows.validation import check_definition

ROLES = {"PM", "BA", "QA"}
TYPES = {"alpha", "beta", "gamma", "verdict"}
PROMPTS = {("flow", step) for step in ("first", "second", "third", "last")}


def step(step_id: str, role: str, inputs: list[str], output: str, **more: object) -> dict[str, object]:
    return {"step_id": step_id, "role": role, "inputs": inputs, "outputs": [output], **more}


def flow(*steps: dict[str, object], **more: object) -> dict[str, object]:
    return {"workflow_id": "flow", "name": "Flow", "version": "1.0.0", "steps": list(steps), **more}


def sound() -> dict[str, object]:
    return flow(
        step("first", "PM", [], "alpha"),
        step("second", "BA", ["alpha"], "beta"),
        step("last", "QA", ["alpha", "beta"], "verdict", is_final=True),
    )


def faults_of(raw: object) -> list[tuple[str, str]]:
    definition, faults = check_definition(raw, roles=ROLES, schemas=TYPES, task_prompts=PROMPTS)
    assert (definition is None) == bool(faults)
    assert all(fault.message.endswith((".", "?")) for fault in faults)
    return [(fault.code, fault.path) for fault in faults]


def message_of(raw: object, code: str) -> str:
    _, faults = check_definition(raw, roles=ROLES, schemas=TYPES, task_prompts=PROMPTS)
    return next(fault.message for fault in faults if fault.code == code)


def test_the_minimal_form_loads_with_its_defaults():
    definition, faults = check_definition(sound(), roles=ROLES, schemas=TYPES, task_prompts=PROMPTS)
    assert faults == []
    assert definition is not None
    assert (definition.max_revisions, definition.description) == (1, "")
    first, _, last = definition.steps
    assert (first.output, first.inputs, first.is_final) == ("alpha", (), False)
    assert (first.max_remediations, first.max_output_tokens, first.model) == (2, None, None)
    assert (first.allow_clarification, last.allow_clarification) == (True, False)
    assert first.requires_acceptance is False


def test_every_key_comes_back_from_the_stored_form():
    raw = sound() | {"description": "d", "max_revisions": 3}
    raw["steps"][0] |= {
        "model": "openai:x",
        "fallback_model": "anthropic:y",
        "allow_clarification": False,
        "requires_acceptance": True,
        "max_remediations": 0,
        "max_output_tokens": 900,
    }
    raw["steps"][2]["allow_clarification"] = True
    definition = definition_from_json(raw)
    assert definition.steps[2].allow_clarification is True
    assert definition.steps[0].max_output_tokens == 900
    assert definition_from_json(definition_to_json(definition)) == definition
    assert faults_of(definition_to_json(definition)) == []


def changed(path: list[str | int], value: object) -> dict[str, object]:
    raw = copy.deepcopy(sound())
    place: object = raw
    for part in path[:-1]:
        place = place[part]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["version"], KeyError, [("schema", "$")]),
        (["nmae"], "x", [("schema", "$.nmae")]),
        (["name"], "  ", [("schema", "$.name")]),
        (["workflow_id"], "a/b", [("schema", "$.workflow_id")]),
        (["workflow_id"], "flow\n", [("schema", "$.workflow_id")]),
        (["max_revisions"], -1, [("schema", "$.max_revisions")]),
        (["max_revisions"], True, [("schema", "$.max_revisions")]),
        (["steps"], [], [("schema", "$.steps")]),
        (["steps"], {}, [("schema", "$.steps")]),
        (["steps", 0, "role"], KeyError, [("schema", "$.steps[0]")]),
        (["steps", 0, "gate"], "x", [("schema", "$.steps[0].gate")]),
        (["steps", 0, "no way"], "x", [("schema", "$.steps[0]['no way']")]),
        (["steps", 0, "max_remediations"], "2", [("schema", "$.steps[0].max_remediations")]),
        (["steps", 0, "fallback_model"], "gpt-5", [("schema", "$.steps[0].fallback_model")]),
        (["steps", 0, "fallback_model"], "openai: ", [("schema", "$.steps[0].fallback_model")]),
        (["steps", 0, "fallback_model"], "openai:x\n", [("schema", "$.steps[0].fallback_model")]),
        (["steps", 1, "inputs"], ["alpha", "alpha"], [("schema", "$.steps[1].inputs")]),
        (["steps", 0, "outputs"], ["alpha", "gamma"], [("one_output", "$.steps[0].outputs")]),
        (["steps", 1, "step_id"], "first", [("duplicate_step", "$.steps[1].step_id")]),
        (["steps", 0, "role"], "PMO", [("unknown_role", "$.steps[0].role")]),
        (["steps", 0, "inputs"], ["brief"], [("reserved_type", "$.steps[0].inputs[0]")]),
        (["steps", 1, "inputs"], ["alpha", "gama"], [("input_without_producer", "$.steps[1].inputs[1]")]),
        (["steps", 1, "inputs"], ["beta"], [("self_input", "$.steps[1].inputs[0]")]),
        (["steps", 2, "outputs"], ["alpha"], [("output_produced_twice", "$.steps[2].outputs[0]")]),
        (["steps", 0, "inputs"], ["beta"], [("cycle", "$.steps[0].inputs")]),
        (["steps", 2, "is_final"], False, [("no_final_step", "$.steps")]),
        (["steps", 1, "is_final"], True, [("several_final_steps", "$.steps[2].is_final")]),
        (["steps", 1, "step_id"], "other", [("missing_prompt", "$.steps[1].step_id")]),
        (["steps", 2, "outputs"], ["delta"], [("missing_schema", "$.steps[2].outputs[0]")]),
    ],
)
def test_each_fault_has_its_code_and_its_path(path, value, expected):
    found = faults_of(changed(path, value))
    # Some faults bring others with them; the one under test must be there, and those of shape come alone.
    assert expected[0] in found
    assert [fault for fault in found if fault[0] == "schema"] == [f for f in expected if f[0] == "schema"]


@pytest.mark.parametrize("raw", [None, 3, "text", [], {}, {"steps": [None, 3, [], {}]}])
def test_any_json_value_gets_faults_of_shape_not_an_exception(raw):
    assert "schema" in {code for code, _ in faults_of(raw)}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.sampled_from(sorted(TYPES))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["steps", "step_id", "inputs", "outputs", "role", "workflow_id"]), inner),
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_json_value_breaks_the_check(raw):
    assert faults_of(raw)


def test_all_faults_come_at_once():
    raw = flow(
        step("first", "Boss", ["verdict"], "alpha", gate=True),
        step("first", "BA", ["nothing"], "alpha"),
        step("other", "QA", ["alpha"], "unheard"),
    )
    assert {code for code, _ in faults_of(raw)} == {
        "schema",
        "unknown_role",
        "duplicate_step",
        "input_without_producer",
        "output_produced_twice",
        "no_final_step",
        "missing_prompt",
        "missing_schema",
    }


def test_nothing_comes_after_the_final_step():
    raw = flow(step("first", "PM", ["verdict"], "alpha"), step("last", "QA", [], "verdict", is_final=True))
    assert faults_of(raw) == [("final_step_not_last", "$.steps[0].inputs[0]")]


def test_a_circle_is_named_step_by_step_and_each_circle_once():
    raw = flow(
        step("first", "PM", ["gamma"], "alpha"),
        step("second", "BA", ["alpha"], "beta"),
        step("third", "BA", ["beta"], "gamma"),
        step("last", "QA", ["gamma"], "verdict", is_final=True),
    )
    assert faults_of(raw) == [("cycle", "$.steps[0].inputs")]
    assert "first -> third -> second -> first" in message_of(raw, "cycle")


def test_close_names_are_suggested():
    assert "'alpha'" in message_of(changed(["steps", 1, "inputs"], ["alhpa"]), "input_without_producer")
    assert "'PM'" in message_of(changed(["steps", 0, "role"], "PMM"), "unknown_role")
    wrong_key = changed(["steps", 0, "requires_acceptence"], True)
    assert "'requires_acceptance'" in message_of(wrong_key, "schema")


def test_a_fallback_model_is_written_with_its_provider():
    message = message_of(changed(["steps", 0, "fallback_model"], "gpt-5"), "schema")
    assert "PROVIDER:MODEL" in message


def test_the_mend_names_the_file_to_write():
    assert "prompts/tasks/flow-other.txt" in message_of(changed(["steps", 1, "step_id"], "other"), "missing_prompt")
    assert "schemas/<folder>/delta.json" in message_of(changed(["steps", 2, "outputs"], ["delta"]), "missing_schema")
    assert "prompts/roles/Boss.txt" in message_of(changed(["steps", 0, "role"], "Boss"), "unknown_role")
