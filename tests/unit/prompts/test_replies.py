import json

import pytest
from bakery_set import REVIEW, document_of, schema_of
from hypothesis import given
from hypothesis import strategies as st

from combine.documents.questions import AnswerType, Question
from combine.prompts.replies import parse_reply

DOCUMENT = document_of(REVIEW)
SCHEMA = schema_of(REVIEW)
CLEAN = {**DOCUMENT, "document_reviews": [{k: v for k, v in r.items() if v} for r in DOCUMENT["document_reviews"]]}
CLEAN["recommendation"] = {k: v for k, v in DOCUMENT["recommendation"].items() if v}
QUESTION = {
    "text": "When a day is full, what should the customer see?",
    "why": "It decides what the system offers on a full day.",
    "answer_type": "single_choice",
    "choices": ["The next free day", "A waiting list"],
    "default": "The next free day",
    "required": True,
}


def parse(reply, *, ask=True, earlier=()):
    text = reply if isinstance(reply, str) else json.dumps(reply)
    return parse_reply(text, document_type=REVIEW, schema=SCHEMA, ask=ask, earlier_questions=earlier)


def codes(parsed):
    return [f.code for f in parsed.findings]


def asked(**changed):
    return parse({"questions": [{**QUESTION, **changed}], "document": None})


ENVELOPE = json.dumps({"questions": [], "document": DOCUMENT})
ACCEPTED = {
    "envelope": ENVELOPE,
    "envelope without questions": json.dumps({"document": DOCUMENT}),
    "indented, with a byte order mark": "\ufeff\n" + json.dumps({"document": DOCUMENT}, indent=2),
    "fenced": f"```json\n{ENVELOPE}\n```",
    "text around": f"Here is the review {{as asked}}:\n{ENVELOPE}\nI hope {{this}} helps.",
    "an example first, then the reply": f'For instance {{"a": 1}} is JSON.\n{json.dumps({"document": {}})}\n{ENVELOPE}',
    "bare document": json.dumps(DOCUMENT),
    "bare document in a fence": f"```\n{json.dumps(DOCUMENT)}\n```",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("ask", [True, False])
def test_a_document_is_read(text, ask):
    parsed = parse(text, ask=ask)
    assert parsed.findings == ()
    assert parsed.questions == ()
    assert parsed.document == CLEAN


REFUSED = {
    "empty": ("", "reply_empty"),
    "white space": (" \n\t", "reply_empty"),
    "no JSON": ("I cannot do this.", "reply_not_json"),
    "broken JSON": ('{"document": {"findings": [,]}}', "reply_not_json"),
    "cut after the last brace but one": (ENVELOPE[:-1], "reply_truncated"),
    "cut in the middle": (ENVELOPE[: len(ENVELOPE) // 2], "reply_truncated"),
    "cut inside a fence": (f"```json\n{ENVELOPE[:-40]}", "reply_truncated"),
    "cut after text": (f"Here: {ENVELOPE[:-400]}", "reply_truncated"),
    "300 KB of text": ("word " * 60_000, "reply_too_large"),
    "300 KB of JSON": (json.dumps({"document": {"findings": "x" * 300_000}}), "reply_too_large"),
    "a list": ("[1, 2]", "reply_not_object"),
    "a text": ('"document"', "reply_not_object"),
    "null": ("null", "reply_not_object"),
    "another object": ('{"answer": 42}', "wrong_top_level"),
    "a part of the document": (json.dumps({"findings": []}), "wrong_top_level"),
    "an empty object": ("{}", "wrong_top_level"),
    "neither questions nor document": ('{"questions": [], "document": null}', "reply_without_content"),
    "only the word document": ('{"document": null}', "reply_without_content"),
    "document is a text": ('{"document": "{}"}', "document_not_object"),
    "questions is a text": ('{"questions": "why?", "document": null}', "questions_not_list"),
    "a number of 5000 digits": ('{"document": {"a": ' + "9" * 5000 + "}}", "reply_not_json"),
    "nested ten thousand times": ('{"document": ' + '{"a":' * 10_000 + "1" + "}" * 10_001, "reply_too_deep"),
    "nested fifty times": ('{"document": ' + '{"a":' * 50 + "1" + "}" * 51, "reply_too_deep"),
    "brackets only": ("[" * 150_000, "reply_too_deep"),
    "braces only": ("{" * 150_000, "reply_truncated"),
}


@pytest.mark.parametrize(("text", "code"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_reply_has_a_defined_outcome(text, code):
    parsed = parse(text)
    assert code in codes(parsed)
    assert parsed.questions == ()
    assert parsed.document is None
    assert all(len(f.found or "") <= 400 and f.message for f in parsed.findings)


FAULTY = {
    "null character": ('{"document": {"a": "x\\u0000y"}}', "bad_character", "$.document.a"),
    "control character": ('{"document": {"a": ["\\u001b[2J"]}}', "bad_character", "$.document.a[0]"),
    "lone surrogate": ('{"document": {"a": "\\ud83d"}}', "bad_character", "$.document.a"),
    "in a field's name": ('{"document": {"a\\u0000": 1}}', "bad_character", "$.document"),
    "repeated field": ('{"document": {"a": 1, "b": 2, "a": 3}}', "duplicate_key", "$"),
    "not a number": ('{"document": {"a": NaN}}', "not_a_number", "$"),
    "infinity": ('{"document": {"a": -Infinity}}', "not_a_number", "$"),
    "too large a number": ('{"document": {"a": 1e999}}', "not_a_number", "$.document.a"),
    "extra field beside the document": ('{"document": {"a": 1}, "thoughts": "hm"}', "extra_field", "$"),
}


@pytest.mark.parametrize(("text", "code", "path"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_document_is_kept_as_a_draft_that_can_be_stored(text, code, path):
    parsed = parse(text)
    assert [(f.code, f.path) for f in parsed.findings] == [(code, path)]
    stored = json.dumps(parsed.document, allow_nan=False, ensure_ascii=False)
    assert parsed.document
    assert "\x00" not in stored
    stored.encode()
    for finding in parsed.findings:
        f"{finding.message}{finding.path}{finding.found}".encode()


def test_line_ends_inside_texts_are_accepted():
    parsed = parse('{"document": {"a": "one\n\ttwo"}}')
    assert (parsed.document, parsed.findings) == ({"a": "one\n\ttwo"}, ())


def test_all_faults_come_at_once():
    parsed = parse('{"document": {"a": "\\u0000", "a": "\\u0001"}, "questions": ["x"], "more": 1}')
    assert set(codes(parsed)) == {
        "duplicate_key",
        "bad_character",
        "extra_field",
        "question_form",
        "questions_and_document",
    }


def test_questions_are_read():
    parsed = parse({"questions": [{**QUESTION, "id": "Q-1"}], "document": None})
    assert parsed.findings == ()
    assert parsed.document is None
    assert parsed.questions == (
        Question(
            QUESTION["text"],
            QUESTION["why"],
            AnswerType.SINGLE_CHOICE,
            "The next free day",
            ("The next free day", "A waiting list"),
        ),
    )


def test_questions_alone_need_no_document_field():
    assert len(parse({"questions": [QUESTION]}).questions) == 1


def test_questions_plus_draft_are_refused_and_the_draft_is_kept():
    parsed = parse({"questions": [QUESTION], "document": DOCUMENT})
    assert codes(parsed) == ["questions_and_document"]
    assert parsed.questions == ()
    assert parsed.document == CLEAN


def test_questions_are_refused_where_none_may_be_asked():
    parsed = parse({"questions": [QUESTION], "document": DOCUMENT}, ask=False)
    assert codes(parsed) == ["questions_not_allowed"]


GOOD = {
    "full-width mark": {"text": "何曜日が休みですか\uff1f"},
    "arabic mark": {"text": "هل تعمل أيام الجمعة؟"},
    "yes": {"answer_type": "yes_no", "default": "Yes.", "choices": []},
    "free text": {"answer_type": "free_text", "default": "Nobody is named.", "choices": None},
    "number": {"answer_type": "Number", "default": "About 25."},
    "several choices": {"answer_type": "multi_choice", "default": "a waiting list; The next free day"},
    "several choices, one default": {"answer_type": "multi_choice", "default": "A waiting list"},
    "default in other case": {"default": "the next free day"},
    "no required": {"required": False},
}
BAD = {
    "no question mark": ({"text": "Tell me about full days."}, "question_text"),
    "no text": ({"text": ""}, "question_text"),
    "an essay": ({"text": "why " * 120 + "?"}, "question_text"),
    "no why": ({"why": " "}, "question_why"),
    "no default": ({"answer_type": "free_text", "default": ""}, "question_default"),
    "default is no choice": ({"default": "Closed"}, "question_default"),
    "a default of several is no choice": (
        {"answer_type": "multi_choice", "default": "A waiting list; x"},
        "question_default",
    ),
    "maybe": ({"answer_type": "yes_no", "default": "maybe"}, "question_default"),
    "one choice": ({"choices": ["The next free day"]}, "question_choices"),
    "seven choices": ({"choices": list("abcdefg"), "default": "a"}, "question_choices"),
    "twice the same choice": ({"choices": ["a", "A"], "default": "a"}, "question_choices"),
    "choices of numbers": ({"choices": [1, 2], "default": "1"}, "question_choices"),
    "unknown type": ({"answer_type": "essay"}, "question_type"),
    "type is no text": ({"answer_type": None}, "question_type"),
    "required is a word": ({"required": "yes"}, "question_form"),
    "extra field": ({"priority": 1}, "extra_field"),
}


@pytest.mark.parametrize("changed", GOOD.values(), ids=GOOD)
def test_a_good_question_is_accepted(changed):
    parsed = asked(**changed)
    assert parsed.findings == ()
    assert len(parsed.questions) == 1


@pytest.mark.parametrize(("changed", "code"), BAD.values(), ids=BAD)
def test_a_bad_question_is_refused(changed, code):
    parsed = asked(**changed)
    assert codes(parsed) == [code]
    assert parsed.questions == ()


def test_defaults_take_the_spelling_of_the_choices():
    question = asked(answer_type="multi_choice", default="a waiting list;the next free day").questions[0]
    assert question.default == "A waiting list; The next free day"
    assert asked(answer_type="yes_no", default="No.").questions[0].default == "no"


def test_more_than_five_questions_are_refused():
    texts = ["Who pays?", "Which days are closed?", "How many ovens?", "Is there a shop?", "What may it cost?", "When?"]
    reply = {"questions": [{**QUESTION, "text": t} for t in texts], "document": None}
    assert codes(parse(reply)) == ["too_many_questions"]


def test_a_near_copy_of_an_earlier_question_is_refused():
    earlier = ("When the day is full, what should the customer see?",)
    assert codes(parse({"questions": [QUESTION]}, earlier=earlier)) == ["question_repeated"]
    assert codes(parse({"questions": [QUESTION, QUESTION]})) == ["question_repeated"]


@given(st.text(max_size=200) | st.text(alphabet='{}[]":,\\ntue1', max_size=200))
def test_any_text_has_an_outcome(text):
    parsed = parse(text)
    assert parsed.findings or parsed.questions or parsed.document is not None


@given(st.integers(0, len(ENVELOPE) - 1))
def test_a_reply_cut_anywhere_is_no_document(end):
    assert parse(ENVELOPE[:end]).document is None


@pytest.mark.parametrize("text", ['{"a": "' * 20_000, '{"a": 1 ' * 20_000, "[{" * 90_000, '{"a":"b"} ' * 19_000])
def test_text_made_to_cost_much_is_refused(text):
    assert parse(text).findings
