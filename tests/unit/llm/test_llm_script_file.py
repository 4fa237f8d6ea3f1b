import json

import pytest

from combine.errors import Invalid, PermanentLLMError, TransientLLMError
from combine.llm.protocol import StopReason
from combine.llm.script_file import load_script
from combine.llm.scripted import ScriptedReply, When
from combine.records import Usage

EVERYTHING = """
delay_s: 0.5
replies:
  project-discovery:
    - json: {questions: [], document: {name: Café}}
    - file: other.json
      delay_s: 2
    - text: '{"a": '
      stop_reason: max_tokens
      usage: {input_tokens: 9, output_tokens: 3}
      detail: cut
      model: demo
    - error: {kind: transient, code: provider_overloaded, message: Down., hint: Wait., retry_after_s: 30}
    - json: null
      when: {contains: "<draft>", lacks: ["<x>", "<y>"]}
  requirements-doc: one text for ever
  "*": {error: permanent}
"""


def test_everything_the_docstring_promises_is_read(tmp_path):
    (tmp_path / "other.json").write_text('{"from": "a file"}')
    path = tmp_path / "script.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    script = load_script(path)
    json_reply, file_reply, text_reply, error_reply, conditional = script["project-discovery"]
    assert json_reply == ScriptedReply('{"questions": [], "document": {"name": "Café"}}', delay_s=0.5)
    assert file_reply == ScriptedReply('{"from": "a file"}', delay_s=2.0)
    assert text_reply == ScriptedReply('{"a": ', 0.5, StopReason.MAX_TOKENS, Usage(9, 3), model="demo", detail="cut")
    assert isinstance(error_reply.error, TransientLLMError)
    assert (error_reply.error.code, error_reply.error.message) == ("provider_overloaded", "Down.")
    assert error_reply.error.details == {"retry_after_s": 30.0}
    assert (conditional.text, conditional.when) == ("null", When(("<draft>",), ("<x>", "<y>")))
    assert script["requirements-doc"] == (ScriptedReply("one text for ever", delay_s=0.5),)
    assert type(script["*"][0].error) is PermanentLLMError


def test_json_is_the_same_format(tmp_path):
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"replies": {"*": [{"text": "a"}]}}))
    assert load_script(path) == {"*": (ScriptedReply("a"),)}


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("[]", "the file: must be a mapping"),
        ("replies: {}", "replies: must be a mapping"),
        ("reply: {}\nreplies: {x: y}", "the file: unknown key 'reply'"),
        ("replies: {x: []}", "replies.x: must not be empty"),
        ("replies: {x: {}}", "replies.x: must have exactly one of"),
        ("replies: {x: [a, {text: a, json: b}]}", "replies.x[1]: must have exactly one of"),
        ("replies: {x: {text: [a]}}", "replies.x.text: must be a string"),
        ("replies: {x: {file: nowhere.json}}", "replies.x.file:"),
        ("replies: {x: {json: {day: 2026-01-01}}}", "quote dates"),
        ("replies: {x: {text: a, stop_reason: tired}}", "replies.x.stop_reason: must be one of end, max_tokens"),
        ("replies: {x: {text: a, delay_s: soon}}", "replies.x.delay_s: must be a number"),
        ("replies: {x: {text: a, usage: {tokens: 1}}}", "replies.x.usage: unknown key 'tokens'"),
        ("replies: {x: {text: a, usage: {input_tokens: -1}}}", "replies.x.usage: must be integers"),
        ("replies: {x: {text: a, when: {}}}", "replies.x.when: contains or lacks"),
        ("replies: {x: {error: odd}}", "replies.x.error.kind: must be one of transient, permanent"),
        ("delay_s: -1\nreplies: {x: y}", "delay_s: must be a number"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, script, fault):
    path = tmp_path / "script.yaml"
    path.write_text(script)
    with pytest.raises(Invalid) as caught:
        load_script(path)
    assert caught.value.code == "script_invalid"
    assert any(fault in one for one in caught.value.details["faults"]), caught.value.details


def test_all_faults_are_reported_together(tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text("replies: {a: {}, b: {text: x, delay_s: y}, c: []}")
    with pytest.raises(Invalid) as caught:
        load_script(path)
    assert len(caught.value.details["faults"]) == 3


@pytest.mark.parametrize(("name", "content"), [("no.yaml", None), ("s.yaml", b"a: [\xff"), ("s.json", b"{")])
def test_an_unreadable_file_is_said(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Invalid) as caught:
        load_script(path)
    assert caught.value.code == "script_unreadable"
