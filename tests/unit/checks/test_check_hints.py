"""What code only suspects: each hint is given where it should be, and is never a finding."""

import pytest
from bakery_set import ARCHITECTURE, DISCOVERY, REQUIREMENTS, check, document_of

from combine.brief.reading import split_brief
from combine.checks.numbers import all_numbers, written_numbers
from combine.checks.vague import vague_words
from combine.documents.items import iter_items


def put(item_id, **fields):
    return lambda document: next(i.value for i in iter_items(document) if i.id == item_id).update(fields)


def copied(document):
    first = document["functional_requirements"][0]
    document["functional_requirements"].append({**first, "id": "FR-004"})


def all_must(document):
    ids = [f"FR-{n:03}" for n in range(4, 8)]
    texts = ["Open the shop door", "Print a label sheet", "Ring one small bell", "Send thanks afterwards"]
    first = document["functional_requirements"][1]
    document["functional_requirements"] += [
        {**first, "id": i, "title": t, "description": t} for i, t in zip(ids, texts, strict=True)
    ]


LONG = "Customers should be able to order a cake online and choose a pickup time. " * 2
ASSUMED = [{"ref": "ASM-001", "quote": "Phone orders continue"}]
HINTS = {
    "number": (
        REQUIREMENTS,
        put("FR-002", description="If 30 cakes are accepted, then the system shall refuse."),
        "number_without_source",
        "FR-002",
    ),
    "vague": (REQUIREMENTS, put("FR-003", title="Easy and intuitive entry"), "vague_words", "FR-003"),
    "duplicate": (REQUIREMENTS, copied, "near_duplicate", "FR-004"),
    "restated": (DISCOVERY, put("STK-001", description="Choose a pickup time."), "restates_source", "STK-001"),
    "musts": (REQUIREMENTS, all_must, "many_musts", None),
    "one criterion": (REQUIREMENTS, put("FR-001", acceptance_criteria=["Given a, then b."]), "few_criteria", "FR-001"),
    "no success": (DISCOVERY, put("OBJ-001", success_criteria=[]), "no_success_criteria", "OBJ-001"),
    "assumptions only": (REQUIREMENTS, put("FR-002", sources=ASSUMED), "must_on_assumptions", "FR-002"),
    "many sources": (REQUIREMENTS, put("FR-003", sources=ASSUMED * 5), "many_sources", "FR-003"),
    "long quote": (REQUIREMENTS, put("FR-003", sources=[{"ref": "B-2", "quote": LONG}]), "long_quote", "FR-003"),
    "unknown id in a text": (
        REQUIREMENTS,
        put("FR-003", title="Phone orders (see FR-088)"),
        "unknown_id_in_text",
        "FR-003",
    ),
    "unused constraint": (
        ARCHITECTURE,
        put("ADR-002", sources=[{"ref": "NFR-002", "quote": "only in the EU"}]),
        "constraint_unused",
        "CON-001",
    ),
}


@pytest.mark.parametrize(("document_type", "change", "code", "item"), HINTS.values(), ids=HINTS)
def test_hint(document_type, change, code, item):
    result = check(document_type, lambda d: change(d) and None)
    assert (code, item) in [(h.code, h.item) for h in result.hints]
    assert code not in [f.code for f in result.findings]


def test_a_number_is_no_hint_if_an_assumption_is_cited():
    change = put("FR-002", description="Refuse after 30 cakes.", sources=ASSUMED)
    assert "number_without_source" not in [h.code for h in check(REQUIREMENTS, change).hints]


def test_constraints_may_be_literal():
    change = put(
        "CON-001", description="Live by 21 March 2027", sources=[{"ref": "B-4", "quote": "live by 21 March 2027"}]
    )
    assert check(DISCOVERY, change).hints == ()


def test_hints_are_bounded():
    document = document_of(REQUIREMENTS)
    first = document["functional_requirements"][0]
    document["functional_requirements"] = [{**first, "id": f"FR-{n:03}"} for n in range(200)]
    assert len(check(REQUIREMENTS, lambda _: document).hints) == 60


def test_vague_words_are_those_of_the_briefs_language():
    assert vague_words("A fast, user-friendly page, etc.", "en") == ("fast", "user-friendly", "etc")
    assert vague_words("Schnelle Seite, falls möglich benutzerfreundlich", "de") == (
        "schnelle",
        "falls möglich",
        "benutzerfreundlich",
    )
    assert vague_words("breakfast at the simplest place", "en") == ()
    assert vague_words("fast", "ja") == ()
    german = split_brief("Wir backen Kuchen und verlieren Bestellungen. Alles soll besser werden.")
    change = put("FR-003", title="Möglichst schnelle Eingabe")
    assert "vague_words" in [h.code for h in check(REQUIREMENTS, change, brief=german).hints]


NUMBERS = [
    ("1,000 and 1.000 and 1 000", {"1000", "1", "0"}),
    ("at 9.5 or 9,5", {"9.5"}),
    ("FR-012 has 12", {"12"}),
    ("25, then 007", {"25", "7"}),
    ("٢٥ قطعة", {"25"}),
    ("none", set()),
]


@pytest.mark.parametrize(("text", "numbers"), NUMBERS)
def test_numbers_have_one_form(text, numbers):
    assert written_numbers(text) == numbers


def test_numbers_in_words_count_where_they_are_cited():
    assert all_numbers("Two bakers, zwölf Kuchen, 3 ovens") == {"2", "12", "3"}
