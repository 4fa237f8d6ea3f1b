"""The order of keys, which PostgreSQL forgets, decides no byte of a prompt."""

import copy
import json
from dataclasses import replace

import pytest
from bakery_set import ARCHITECTURE, DISCOVERY, REQUIREMENTS, TYPES, answers, brief, context_of, document_of
from hypothesis import given, settings
from hypothesis import strategies as st

from combine.checks import check_document, document_hints, next_ids, unused_sentences
from combine.documents.items import iter_items
from combine.documents.schema_walk import in_store_order
from combine.prompts.builder import PromptBuilder, PromptInput, UpstreamDocument
from combine.workflows.catalog import load_catalog

CATALOG = load_catalog(None)
STEPS = {step.output: step for step in CATALOG.workflow("strategy-document").steps}


def shuffled(value, random):
    if isinstance(value, list):
        return [shuffled(inner, random) for inner in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    random.shuffle(names)
    return {name: shuffled(value[name], random) for name in names}


def doubtful(document_type):
    """The set's document with something to say about every item, in texts of several fields."""
    document = copy.deepcopy(document_of(document_type))
    for n, item in enumerate(iter_items(document)):
        item.value["description"] = f"An easy, robust and fast thing in {77 + n} days (see XYZ-{n:03})."
        item.value["title"] = "Simple and modern, etc."
        item.value["unheard_of"] = ["Flexible.", {"b": "various", "a": "seamless"}]
        for source in item.value.get("sources", ()):
            source["quote"] = "words that nobody has ever written"
    return document


def prompt(document_type, documents, draft):
    """Everything that a check says of a draft, and the prompts that it goes into."""
    before = TYPES[: TYPES.index(document_type)]
    context = context_of(
        document_type, upstream={name: documents[name] for name in before}, draft=documents[document_type]
    )
    findings = check_document(draft, context).findings
    hints = [
        hint
        for name in before
        for hint in document_hints(
            documents[name], replace(context_of(name), upstream={k: documents[k] for k in before if k != name})
        )
    ]
    given_to = PromptInput(
        "strategy-document",
        STEPS[document_type],
        "offline",
        brief(),
        answers(),
        tuple(UpstreamDocument(name, 1, documents[name]) for name in before),
        UpstreamDocument(document_type, 1, documents[document_type]),
        next_ids(CATALOG.schema(document_type).schema, [*documents.values(), draft]),
        draft=draft,
        findings=findings,
        hints=tuple(hints),
        unused_sentences=unused_sentences(brief(), [documents[name] for name in before]),
    )
    assert findings
    assert hints or not before
    return PromptBuilder(CATALOG).build(given_to), findings


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(TYPES), st.randoms(use_true_random=False))
def test_shuffled_keys_give_the_same_prompts_and_findings(document_type, random):
    documents = {name: doubtful(name) for name in TYPES}
    draft = copy.deepcopy(documents[document_type])
    for name in [name for name, value in draft.items() if isinstance(value, list)][:2]:
        draft[name] = draft[name][1:]  # ids get lost
    other = {name: shuffled(document, random) for name, document in documents.items()}
    assert prompt(document_type, documents, draft) == prompt(document_type, other, shuffled(draft, random))


@pytest.mark.parametrize("document_type", [DISCOVERY, REQUIREMENTS, ARCHITECTURE])
def test_hints_follow_the_schema(document_type):
    document = doubtful(document_type)
    upside_down = dict(reversed(document.items()))
    hints = document_hints(upside_down, context_of(document_type))
    assert hints == document_hints(document, context_of(document_type))
    vague = [hint.item for hint in hints if hint.code == "vague_words"]
    declared = CATALOG.schema(document_type).schema["properties"]
    in_order = [item.id for item in iter_items({name: document[name] for name in declared if name in document})]
    assert vague == in_order[: len(vague)]


def test_what_has_no_schema_comes_as_the_store_gives_it():
    value = {"title": [{"bb": 1, "a": None}], "id": "A", "as": {}, "\u00e9": 0}
    assert json.dumps(in_store_order(value)) == json.dumps(
        {"as": {}, "id": "A", "\u00e9": 0, "title": [{"a": None, "bb": 1}]}
    )
