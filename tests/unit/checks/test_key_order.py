"""The order of keys in the documents before decides nothing that is found."""

import copy
import json
from dataclasses import replace

from bakery_set import TYPES, context_of, document_of
from hypothesis import given, settings
from hypothesis import strategies as st

from combine.checks import check_document, document_hints
from combine.documents.items import iter_items
from combine.documents.schema_walk import in_store_order


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


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(TYPES), st.randoms(use_true_random=False))
def test_what_is_found_does_not_depend_on_the_order_of_keys_before(document_type, random):
    """Prompts hold findings, and recordings of programs that stored no order must render the same ones."""
    documents = {name: doubtful(name) for name in TYPES}
    before = {name: documents[name] for name in TYPES[: TYPES.index(document_type)]}
    draft = copy.deepcopy(documents[document_type])
    for name in [name for name, value in draft.items() if isinstance(value, list)][:2]:
        draft[name] = draft[name][1:]  # ids get lost
    context = context_of(document_type, upstream=before, draft=documents[document_type])
    other = replace(context, upstream={name: shuffled(document, random) for name, document in before.items()})
    assert check_document(draft, context).findings == check_document(draft, other).findings != ()
    assert document_hints(draft, context) == document_hints(draft, other) != ()


def test_what_has_no_schema_comes_as_the_store_gives_it():
    value = {"title": [{"bb": 1, "a": None}], "id": "A", "as": {}, "\u00e9": 0}
    assert json.dumps(in_store_order(value)) == json.dumps(
        {"as": {}, "id": "A", "\u00e9": 0, "title": [{"a": None, "bb": 1}]}
    )


@given(st.randoms(use_true_random=False))
def test_items_in_the_store_s_order_are_those_of_the_document_in_that_order(random):
    for name in TYPES:
        document = shuffled(doubtful(name), random)
        assert list(iter_items(document, stored=True)) == list(iter_items(in_store_order(document)))
