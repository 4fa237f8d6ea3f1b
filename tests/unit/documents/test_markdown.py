"""A document as Markdown: nothing is lost, nothing becomes markup, footnotes and tables hold together."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from combine.brief.brief import Brief, Sentence, SentenceKind
from combine.documents.findings import Finding, FindingKind, Severity
from combine.documents.markdown import OFFLINE_NOTICE, MarkdownInput, render_markdown
from combine.documents.questions import Answer
from combine.documents.schema_walk import in_schema_order
from combine.documents.statuses import DecidedBy, DocumentStatus
from combine.workflows.catalog import load_catalog

SCHEMA = {
    "title": "Plan",
    "properties": {
        "goals": {
            "items": {
                "properties": {
                    "id": {},
                    "sources": {},
                    "title": {},
                    "description": {},
                    "priority": {"enum": ["very_high", "low"]},
                    "steps": {"items": {}},
                    "needs": {"items": {}},
                }
            }
        },
        "limits": {"title": "What binds us", "items": {"properties": {"id": {}, "text": {}}}},
        "border": {"properties": {"in": {}, "out": {}}},
        "remarks": {},
    },
}
CONTENT = {
    "border": {"out": ["Paying (B-2)"], "in": []},
    "remarks": "",
    "limits": [{"text": "Open | by May.", "id": "CON-001", "sources": [{"ref": "B-1", "quote": "by May"}]}],
    "goals": [
        {
            "needs": ["OBJ-001"],
            "steps": ["Buy pots."],
            "priority": "very_high",
            "description": "Plants arrive *alive*.",
            "title": "Alive",
            "sources": [{"ref": "B-1", "quote": "by May"}, {"ref": "Q-1", "quote": "By van"}],
            "id": "FR-001",
        }
    ],
}
BRIEF = Brief(
    "",
    "en",
    (
        Sentence("B-1", "We open by May.", SentenceKind.PROSE, 0, 0),
        Sentence("B-2", "No card payment.", SentenceKind.LIST_ITEM, 0, 0),
        Sentence("B-3", "x = ```1```", SentenceKind.CODE, 0, 0),
    ),
)
DOC = MarkdownInput(
    type="plan",
    version=2,
    status=DocumentStatus.ACTIVE,
    content=in_schema_order(CONTENT, SCHEMA),
    schema=SCHEMA,
    project="Nursery <Nord>",
    workflow="garden",
    model="anthropic:m",
    created_at=datetime(2027, 1, 2, 3, 4, tzinfo=UTC),
    execution_id="E1",
    brief=BRIEF,
    answers=(
        Answer("Q-1", "How do plants travel?", "By van"),
        Answer("Q-2", "When?", "In the morning.", DecidedBy.DEFAULT, "ASM-001"),
    ),
    upstream={"idea-doc": {"objectives": [{"id": "OBJ-001", "description": "Sell plants."}, {"id": "OBJ-002"}]}},
    findings=(Finding(FindingKind.SEMANTIC, Severity.MINOR, "c", "plan", "FR-001 names no price.", "FR-001"),),
    unused_sentences=("B-3",),
)


class Page(HTMLParser):
    """What a browser would show of a page, and what it is made of."""

    def __init__(self, markdown):
        super().__init__()
        self.tags, self.links, self.places, self.texts = set(), set(), [], []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
        self.text = "".join(self.texts)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"id", "href"}, attrs
        self.links |= {value for name, value in attrs if name == "href"}
        self.places += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.texts.append(data)


ALLOWED = set("h1 h2 h3 p a table thead tbody tr th td strong ul li blockquote br pre code".split())  # noqa: SIM905


def words(text):
    return " ".join(text.replace("_", " ").split())


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def check(markdown, content):
    page = Page(markdown)
    assert page.tags <= ALLOWED
    assert all(link.startswith("#") and link[1:] in page.places for link in page.links)
    shown = words(page.text)
    for text in strings(content):
        assert words(text) in shown
    live = re.sub(r"^(`{3,})\n.*?\n\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    marks = set(re.findall(r"\[\^(\d+)\](?!:)", live))
    notes = re.findall(r"^\[\^(\d+)\]: ", live, re.MULTILINE)
    assert sorted(marks) == sorted(notes)
    for table in re.findall(r"(?:^\|.*\n)+", live, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in table.splitlines()}) == 1
    return page


def test_a_whole_document_reads_like_this():
    assert render_markdown(DOC) == (
        """\
# Plan: Nursery &lt;Nord&gt;

| Project | Nursery &lt;Nord&gt; |
| --- | --- |
| Document | Plan, version 2 (active) |
| Created by | anthropic:m |
| Created on | 2027-01-02 03:04 UTC |
| Workflow | garden, execution E1 |
| Based on | 3 sentences of the brief, 2 answers (1 by default) |
| Unused sentences | [B-3](#B-3) |
| Open findings | 1 |

## Contents

- [Goals](#section-1)
- [What binds us](#section-2)
- [Border](#section-3)
- [Remarks](#section-4)
- [Open findings](#open-findings)
- [Appendix: questions and answers](#answers)
- [Appendix: cited from other documents](#cited)
- [Appendix: the brief, sentence by sentence](#brief)

## <a id="section-1"></a>Goals

### <a id="FR-001"></a>FR-001 Alive

Priority: very high

Plants arrive \\*alive\\*.[^1][^2]

**Steps:**

- Buy pots.

**Needs:** [OBJ-001](#OBJ-001)

## <a id="section-2"></a>What binds us

| ID | Text |
| --- | --- |
| <a id="CON-001"></a>CON-001[^1] | Open \\| by May. |

## <a id="section-3"></a>Border

**Out:**

- Paying ([B-2](#B-2))

## <a id="section-4"></a>Remarks

None.

## <a id="open-findings"></a>Open findings

| Severity | Item | Finding |
| --- | --- | --- |
| minor | [FR-001](#FR-001) | [FR-001](#FR-001) names no price. |

## <a id="answers"></a>Appendix: questions and answers

<a id="Q-1"></a>**Q-1** How do plants travel?

> By van

<a id="Q-2"></a>**Q-2** When?

> In the morning.
>
> (default, recorded as assumption ASM-001)

## <a id="cited"></a>Appendix: cited from other documents

<a id="OBJ-001"></a>**OBJ-001** (Idea) Sell plants.

## <a id="brief"></a>Appendix: the brief, sentence by sentence

<a id="B-1"></a>**B-1** We open by May.

<a id="B-2"></a>**B-2** No card payment.

<a id="B-3"></a>**B-3** (not used)

````
x = ```1```
````

[^1]: [B-1](#B-1): “by May”

[^2]: [Q-1](#Q-1): “By van”
"""
    )
    check(render_markdown(DOC), CONTENT)


def test_an_offline_draft_says_so_before_anything_else():
    page = render_markdown(dataclasses.replace(DOC, offline=True))
    assert page.index(OFFLINE_NOTICE) < page.index("## Contents")
    assert "anthropic" not in page


def test_a_review_shows_its_verdict_first():
    content = {
        "findings": [{"id": "FND-001", "severity": "major", "description": "No price.", "item": "FR-001"}],
        "document_reviews": [{"document_type": "plan", "status": "approved_with_conditions"}],
        "overall_assessment": {"summary": "Nearly.", "status": "approved_with_conditions"},
        "recommendation": {"action": "proceed", "rationale": "Small."},
    }
    schema = load_catalog(None).schema("strategy-review").schema
    page = render_markdown(dataclasses.replace(DOC, type="strategy-review", schema=schema, content=content))
    assert re.findall(r"^- \[(.*?)\]", page, re.MULTILINE)[:4] == [
        "Overall assessment",
        "Recommendation",
        "Document reviews",
        "Findings",
    ]
    assert "Status: approved with conditions" in page
    check(page, content)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b \\| c \\",
    "[x](javascript:alert(1))",
    "![x](http://example.org/p.png)",
    "<javascript:alert(1)>",
    "[^1]",
    "[^1]: mine",
    "1. one",
    "- a",
    "# Heading #",
    "---",
    "===",
    "```\ncode\n```",
    "    indented",
    "**bold** __bold__ _x_ snake_case ~~gone~~ `code`",
    "&lt;b&gt; &amp; &#60; AT&T",
    '"><a id="x" href="//example.org">',
    "line\nbreak\r\n\r\n> quote\u2028end",
    "FR-001 (B-2), XB-2, [B-1](#B-9)",
    "<!-- gone",
    "مرحبا 👩\u200d🚀 日本語。",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_everywhere(text):
    content = {
        "goals": [
            {"id": text, "title": text, "description": text, "priority": text, "steps": [text, text], "needs": [text]},
            {"id": "FR-001", "sources": [{"ref": text, "quote": text}], "description": text, "steps": []},
        ],
        "limits": [{"id": text, "text": text, "sources": [{"ref": "B-1", "quote": text}]}],
        "border": {"in": [text], "out": {"deep": [{"er": text}]}},
        "remarks": text,
    }
    doc = dataclasses.replace(
        DOC,
        content=content,
        project=text,
        workflow=text,
        model=text,
        brief=Brief("", "en", tuple(Sentence(f"B-{n}", text, k, 0, 0) for n, k in enumerate(SentenceKind, start=1))),
        answers=(Answer("Q-1", text, text, DecidedBy.DEFAULT, text),),
        upstream={text: {"list": [{"id": "FR-001", "description": text}]}},
        findings=(Finding(FindingKind.SEMANTIC, Severity.MINOR, text, text, text, text),),
    )
    check(render_markdown(doc), content)


letters = st.characters(exclude_categories=["Cc", "Cs"])
texts = st.one_of(st.sampled_from(HOSTILE), st.text(alphabet=letters, max_size=20))
sources = st.lists(st.fixed_dictionaries({"ref": st.sampled_from(["B-1", "Q-1", "X"]), "quote": texts}), max_size=2)
fields = st.sampled_from(["title", "name", "description", "steps", "priority", "as_a", "i_want", "so_that", "a_b"])
values = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=8,
)
rows = st.lists(
    st.tuples(st.dictionaries(fields, values, max_size=5), sources, texts).map(
        lambda row: row[0] | {"sources": row[1], "id": row[2]}
    ),
    max_size=3,
)
contents = st.dictionaries(st.sampled_from(["goals", "limits", "border", "remarks", "other"]), rows | values)


@given(contents)
def test_no_text_of_the_content_is_lost(content):
    check(render_markdown(dataclasses.replace(DOC, content=content)), content)
