"""Renders a document as Markdown for readers: facts, table of contents, sections, and the source of every item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from combine.brief.brief import Brief, SentenceKind
from combine.documents.findings import Finding
from combine.documents.items import Item, item_text, iter_items
from combine.documents.markdown_body import NAMES, Body, Footnotes
from combine.documents.markdown_text import ID, anchor, escape, fenced, humanised, linked
from combine.documents.questions import Answer
from combine.documents.schema_walk import JsonObject
from combine.documents.statuses import DecidedBy, DocumentStatus

OFFLINE_NOTICE = (
    "> **Drafted offline: no language model was used.** Fixed rules sorted the sentences of the brief into this form; "
    "nothing has been assessed. Treat it as a first draft, not as a finished document."
)

MAIN = ("description", "text", "decision", "responsibility")
"""The fields that say what an item of another document is."""


@dataclass(frozen=True, slots=True)
class MarkdownInput:
    """One document version and what its page says about it."""

    type: str
    version: int
    status: DocumentStatus
    content: JsonObject
    schema: JsonObject
    project: str
    workflow: str
    model: str
    created_at: datetime
    """Aware."""
    execution_id: str
    brief: Brief
    answers: tuple[Answer, ...] = ()
    upstream: Mapping[str, JsonObject] = field(default_factory=dict)
    """Type -> content of the documents this one may cite."""
    offline: bool = False
    """Drafted by rules instead of a model; stated on the first page."""
    findings: tuple[Finding, ...] = ()
    """Open findings on this version."""
    unused_sentences: tuple[str, ...] | None = None
    """Ids of brief sentences that no document uses; None if not known yet."""


def render_markdown(doc: MarkdownInput) -> str:
    """The whole document. Contains every text of its content, escaped; equal input gives equal text."""
    cited = _cited_elsewhere(doc)
    own = frozenset(item.id for item in iter_items(doc.content) if ID.fullmatch(item.id))
    anchors = own | {s.id for s in doc.brief.sentences} | {a.id for a in doc.answers} | set(cited)
    notes = Footnotes()
    body = Body(doc.schema, frozenset(anchors), notes)
    sections = [(f"section-{n}", name, blocks) for n, (_, name, blocks) in enumerate(body.sections(doc.content), 1)]
    sections += [
        (key, name, blocks)
        for key, name, blocks in (
            ("open-findings", "Open findings", _findings(doc, anchors)),
            ("answers", "Appendix: questions and answers", _answers(doc)),
            ("cited", "Appendix: cited from other documents", [_entry(i, t, anchors) for i, t in cited.values()]),
            ("brief", "Appendix: the brief, sentence by sentence", _brief(doc)),
        )
        if blocks
    ]
    parts = [*_title_page(doc), "## Contents", "\n".join(f"- [{escape(n)}](#{k})" for k, n, _ in sections)]
    for key, name, blocks in sections:
        parts += [f'## <a id="{key}"></a>{escape(name)}', *blocks]
    parts += [_footnote(n, ref, quote, anchors) for (ref, quote), n in notes.numbers.items()]
    return "\n\n".join(parts) + "\n"


def _title(document_type: str, schema: JsonObject) -> str:
    return str(schema.get("title") or humanised(document_type))


def _title_page(doc: MarkdownInput) -> Iterator[str]:
    title = _title(doc.type, doc.schema)
    defaults = sum(a.decided_by is DecidedBy.DEFAULT for a in doc.answers)
    facts = {
        "Project": doc.project,
        "Document": f"{title}, version {doc.version} ({doc.status.value})",
        "Created by": "fixed rules, no language model" if doc.offline else doc.model,
        "Created on": doc.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Workflow": f"{doc.workflow}, execution {doc.execution_id}",
        "Based on": f"{_count(len(doc.brief.sentences), 'sentence')} of the brief, {_count(len(doc.answers), 'answer')}"
        + (f" ({defaults} by default)" if defaults else ""),
    }
    if doc.unused_sentences is not None:
        facts["Unused sentences"] = ", ".join(doc.unused_sentences) or "none"
    if doc.findings:
        facts["Open findings"] = str(len(doc.findings))
    yield f"# {escape(title)}: {escape(doc.project)}"
    sentences = {s.id for s in doc.brief.sentences}
    first, *rows = [f"| {name} | {linked(value, sentences)} |" for name, value in facts.items()]
    yield "\n".join([first, "| --- | --- |", *rows])
    if doc.offline:
        yield OFFLINE_NOTICE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _findings(doc: MarkdownInput, anchors: set[str] | frozenset[str]) -> list[str]:
    if not doc.findings:
        return []
    rows = (
        f"| {escape(f.severity.value)} | {linked(f.item or '', anchors)} | {linked(f.message, anchors)} |"
        for f in doc.findings
    )
    return ["\n".join(["| Severity | Item | Finding |", "| --- | --- | --- |", *rows])]


def _answers(doc: MarkdownInput) -> list[str]:
    return [
        f"{anchor(a.id)}**{escape(a.id)}** {escape(a.question)}\n\n> {escape(a.text)}"
        + ("" if a.decided_by is DecidedBy.PERSON else f"\n>\n> (default{_assumed(a)})")
        for a in doc.answers
    ]


def _assumed(answer: Answer) -> str:
    return f", recorded as assumption {escape(answer.assumption_id)}" if answer.assumption_id else ""


def _brief(doc: MarkdownInput) -> list[str]:
    unused = set(doc.unused_sentences or ())
    blocks = []
    for sentence in doc.brief.sentences:
        label = f"{anchor(sentence.id)}**{escape(sentence.id)}**" + (" (not used)" if sentence.id in unused else "")
        code = sentence.kind is SentenceKind.CODE
        blocks.append(f"{label}\n\n{fenced(sentence.text)}" if code else f"{label} {escape(sentence.text)}")
    return blocks


def _cited_elsewhere(doc: MarkdownInput) -> dict[str, tuple[Item, str]]:
    """Items of other documents whose ids occur in this one, with the title of their document."""
    own = {item.id for item in iter_items(doc.content)}
    mentioned = set(ID.findall(" ".join(_strings(doc.content)))) - own
    return {
        item.id: (item, document_type)
        for document_type, content in sorted(doc.upstream.items())
        for item in iter_items(content)
        if item.id in mentioned
    }


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)


def _entry(item: Item, document_type: str, anchors: set[str] | frozenset[str]) -> str:
    texts = [text for name in (*NAMES, *MAIN) if isinstance(text := item.value.get(name), str)] or item_text(item.value)
    shown = ": ".join(linked(text, anchors) for text in texts if text.strip())
    return f"{anchor(item.id)}**{escape(item.id)}** ({escape(humanised(document_type.removesuffix('-doc')))}) {shown}"


def _footnote(number: int, ref: str, quote: str, anchors: set[str] | frozenset[str]) -> str:
    return f"[^{number}]: {linked(ref, anchors)}: “{escape(quote)}”"
