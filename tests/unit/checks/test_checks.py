"""Each rule of mechanical QA: the worked set passes it (test_strategy_schemas), and each planted fault is found."""

import json
from dataclasses import replace

import pytest
from bakery_set import (
    ARCHITECTURE,
    DISCOVERY,
    REQUIREMENTS,
    REVIEW,
    answers,
    brief,
    check,
    context_of,
    document_of,
    schema_of,
)
from planted_faults import ONE_FAULT, WORDS, add, at, drop, item, put, source, without

from combine.checks import check_document, next_ids, unused_sentences
from combine.documents.findings import FindingKind, Severity
from combine.documents.questions import Answer, DecidedBy


@pytest.mark.parametrize(("document_type", "change", "code", "item_id", "path"), ONE_FAULT.values(), ids=ONE_FAULT)
def test_a_planted_fault_is_the_one_finding(document_type, change, code, item_id, path):
    findings = check(document_type, lambda d: change(d) and None).findings
    assert [(f.code, f.item, f.path) for f in findings] == [(code, item_id, path)]
    (finding,) = findings
    assert finding.kind is FindingKind.MECHANICAL
    assert finding.document == document_type
    assert finding.message.endswith(".")


GOOD = {
    "quote from an own item": (REQUIREMENTS, source("FR-003", "FR-002", "offer the next free day")),
    "quote from an upstream list": (REQUIREMENTS, source("FR-003", "STK-001", "A pickup time that holds")),
    "whole short text": (REQUIREMENTS, source("FR-003", "STK-002", "Bakers")),
    "assumption of another document": (
        ARCHITECTURE,
        lambda d: item(d, "ADR-001")["sources"].append({"ref": "ASM-001", "quote": "Phone orders continue"}),
    ),
    "long but below the reject limit": (REQUIREMENTS, put("FR-003", description="word " * 80)),
    "a new assumption": (REQUIREMENTS, add("assumptions", id="ASM-003", text="Shops open daily.", reason="Not said.")),
    "finding on a sentence": (REVIEW, put("FND-001", document="brief", item="B-5")),
    "finding on an answer": (REVIEW, put("FND-001", document="brief", item="Q-1")),
    "finding on a whole document": (REVIEW, lambda d: item(d, "FND-001").pop("item")),
    "optional lists left out": (REQUIREMENTS, without("user_stories")),
    "no dependency": (REQUIREMENTS, without("functional_requirements", 2, "depends_on")),
}


@pytest.mark.parametrize(("document_type", "change"), GOOD.values(), ids=GOOD)
def test_what_is_allowed_is_no_finding(document_type, change):
    assert check(document_type, lambda d: change(d) and None).findings == ()


VERDICTS = [
    ("critical", "needs_revision", "revise", []),
    ("critical", "rejected", "reject", []),
    ("critical", "rejected", "escalate", []),
    ("critical", "approved_with_conditions", "proceed", ["verdict_contradicts_findings"]),
    ("major", "approved_with_conditions", "proceed", []),
    ("major", "needs_revision", "revise", []),
    ("major", "rejected", "reject", ["verdict_contradicts_findings"]),
    ("major", "needs_revision", "proceed", ["action_contradicts_verdict"]),
    ("minor", "approved", "proceed", []),
    ("minor", "approved_with_conditions", "proceed", []),
    ("minor", "needs_revision", "revise", ["verdict_contradicts_findings"]),
    ("observation", "rejected", "proceed", ["verdict_contradicts_findings", "action_contradicts_verdict"]),
    (None, "approved", "proceed", []),
    (None, "needs_revision", "revise", ["verdict_contradicts_findings"]),
]


@pytest.mark.parametrize(("severity", "status", "action", "expected"), VERDICTS)
def test_verdict_follows_from_findings(severity, status, action, expected):
    def change(document):
        document["findings"] = [{**document["findings"][0], "severity": severity}] if severity else []
        document["overall_assessment"]["status"] = status
        document["recommendation"]["action"] = action

    assert [f.code for f in check(REVIEW, change).findings] == expected


def test_a_missing_quote_comes_with_the_cited_text():
    finding = check(REQUIREMENTS, source("FR-002", "B-3", "at most 35 cakes a day", 1)).findings[0]
    assert finding.found == "at most 35 cakes a day"
    assert finding.expected == "Two bakers work in the kitchen and can finish at most 25 cakes a day."
    assert finding.severity is Severity.CRITICAL


def test_an_unknown_source_says_what_can_be_cited():
    finding = check(REQUIREMENTS, source("FR-002", "B-7", "at most 25 cakes", 1)).findings[0]
    assert finding.found == "B-7"
    assert "B-1 to B-6" in finding.expected
    assert "Q-1" in finding.expected


def test_all_missing_fields_of_one_place_are_one_finding():
    findings = check(DISCOVERY, lambda d: {"project_name": d["project_name"]}).findings
    assert [f.code for f in findings] == ["schema"]
    assert all(f"`{name}`" in findings[0].message for name in ("objectives", "stakeholders", "scope_summary"))


def test_schema_findings_are_capped_and_the_rest_counted():
    findings = check(DISCOVERY, at("scope_summary", "out", value=[1] * 50)).findings
    schema = [f for f in findings if f.code == "schema"]
    assert len(schema) == 31
    assert "20 more" in schema[-1].message


def test_all_findings_come_at_once():
    def change(document):
        put("FR-003", priority="nice", description=WORDS, depends_on=["FR-003"])(document)
        source("FR-002", "B-3", "at most 35 cakes a day", 1)(document)
        put("NFR-002", id="NFR-001")(document)

    codes = {f.code for f in check(REQUIREMENTS, change).findings}
    assert codes == {"schema", "text_too_long", "depends_on_circle", "quote_not_found", "id_duplicate"}


def test_circles_are_named_once_each():
    def change(document):
        put("FR-001", depends_on=["FR-003"])(document)

    (finding,) = check(REQUIREMENTS, change).findings
    assert finding.code == "depends_on_circle"
    assert all(name in finding.message for name in ("FR-001", "FR-002", "FR-003"))


def test_an_item_lost_in_a_repair_is_found():
    draft = document_of(DISCOVERY)
    lose = drop("stakeholders", "STK-002")
    assert [(f.code, f.item) for f in check(DISCOVERY, lose, draft=draft).findings] == [("id_lost", "STK-002")]
    assert check(DISCOVERY, lose, draft=draft, droppable_ids=frozenset({"STK-002"})).findings == ()
    assert check(DISCOVERY, lose).findings == ()


def test_old_numbers_are_not_given_to_new_items():
    used = {"STK": 5, "ASM": 0}
    codes = [(f.code, f.item) for f in check(DISCOVERY, used_ids=used).findings]
    assert codes == [("id_reused", "STK-001"), ("id_reused", "STK-002")]
    known = frozenset({"STK-001", "STK-002"})
    assert check(DISCOVERY, used_ids=used, known_ids=known).findings == ()
    assert check(DISCOVERY, used_ids=used, draft=document_of(DISCOVERY)).findings == ()
    assert check(DISCOVERY, put("STK-002", id="STK-006"), used_ids=used, known_ids=known).findings == ()


def test_an_answer_left_to_us_can_be_cited_as_assumption():
    left = Answer("Q-2", "Who may cancel an order?", "Only the shop may cancel an order.", DecidedBy.DEFAULT, "ASM-003")
    change = source("FR-003", "ASM-003", "Only the shop may cancel")
    assert check(REQUIREMENTS, change, answers=(*answers(), left)).findings == ()
    declare = add("assumptions", id="ASM-003", text="Only the shop may cancel an order.", reason="Q-2")
    given = {"answers": (*answers(), left), "used_ids": {"ASM": 3}}
    assert check(REQUIREMENTS, declare, **given).findings == ()


def test_a_short_answer_is_cited_whole_or_with_its_question():
    yes = Answer("Q-2", "Do phone orders continue?", "Yes")
    for quote in ("Yes", "phone orders continue"):
        assert check(REQUIREMENTS, source("FR-003", "Q-2", quote), answers=(*answers(), yes)).findings == ()
    long = replace(yes, text="Yes, until the end of the year")
    findings = check(
        REQUIREMENTS, source("FR-003", "Q-2", "phone orders continue"), answers=(*answers(), long)
    ).findings
    assert [f.code for f in findings] == ["quote_not_found"]


def test_rules_of_the_strategy_documents_leave_other_types_alone():
    schema = {
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {
                        "id": {"type": "string", "pattern": "^RUL-[0-9]{3}$"},
                        "priority": {"type": "string"},
                        "follows": {"type": "string", "pattern": "^(RUL|FR)-[0-9]{3}$"},
                        "depends_on": {"type": "string"},
                        "sources": {"type": "array"},
                    },
                },
            }
        },
    }
    upstream = {t: document_of(t) for t in (DISCOVERY, REQUIREMENTS)}
    context = replace(context_of(DISCOVERY), document_type="rule-book", schema=schema, upstream=upstream)
    rules = [{"id": "RUL-001", "priority": "must", "follows": "FR-001", "depends_on": "the weather"}]
    assert check_document({"rules": rules}, context).findings == ()
    rules = [{"id": "RULE-1", "follows": "RUL-009", "sources": [{"ref": "B-1", "quote": "never said there"}]}]
    codes = [f.code for f in check_document({"rules": rules}, context).findings]
    assert codes == ["schema", "quote_not_found", "reference_unknown"]
    assert next_ids(schema, [{"rules": [{"id": "RUL-007"}]}]) == {"RUL": 8}


def test_next_numbers_run_on_over_all_documents_given():
    documents = [document_of(DISCOVERY), {"assumptions": [{"id": "ASM-007"}]}]
    assert next_ids(schema_of(REQUIREMENTS), documents) == {"FR": 1, "NFR": 1, "US": 1, "DR": 1, "IR": 1, "ASM": 8}
    assert next_ids(schema_of(DISCOVERY), []) == {"OBJ": 1, "STK": 1, "CON": 1, "RSK": 1, "ASM": 1}


def test_sentences_nothing_cites_are_listed():
    document = document_of(DISCOVERY)
    assert unused_sentences(brief(), [document]) == ()
    document["scope_summary"]["out"] = ["Online payment B-5", "Delivery"]
    assert unused_sentences(brief(), [document]) == ("B-5",)
    document["scope_summary"]["out"] = ["Online payment (see B-4, B-5)"]
    assert unused_sentences(brief(), [document]) == ()
    assert unused_sentences(brief(), []) == ("B-1", "B-2", "B-3", "B-4", "B-5", "B-6")


def test_findings_can_be_stored_whatever_the_document_holds():
    hostile = "\x00\ud800<b>"
    result = check(
        DISCOVERY,
        lambda d: {**d, hostile: 1, "risks": [{"id": hostile, "sources": [{"ref": hostile, "quote": hostile}]}]},
    )
    assert result.findings
    for finding in result.findings:
        text = json.dumps(
            [finding.message, finding.item, finding.path, finding.found, finding.expected], ensure_ascii=False
        )
        assert "\\u0000" not in text
        text.encode()


def test_a_requirement_dropped_in_a_first_draft_is_found_by_what_needed_it():
    findings = check(REQUIREMENTS, drop("functional_requirements", "FR-002")).findings
    assert {(f.code, f.item) for f in findings} == {
        ("reference_unknown", "FR-003"),
        ("objective_not_covered", "OBJ-002"),
    }


def test_a_swapped_answer_is_found_by_its_quote():
    other = (replace(answers()[0], text="Put the customer on a waiting list."),)
    findings = check(REQUIREMENTS, answers=other).findings
    assert [(f.code, f.item) for f in findings] == [("quote_not_found", "FR-002")]
