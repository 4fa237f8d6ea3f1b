"""Prompts: renders what is known as text for a model, and reads that text back.

``system`` holds house rules, role and the model's own suffix; ``prefix`` holds the sources and is byte-stable
over the calls of one step, so that a cache can keep it; ``task`` holds what to do now. All data stands as JSON
inside tags, with ``<`` escaped, so nothing a person or a model wrote can close a tag. ``read_prompt`` is the
inverse; the offline drafter reads exactly what a model would.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from combine.brief.brief import UNKNOWN_LANGUAGE, Brief
from combine.documents.findings import Finding, Hint
from combine.documents.questions import Answer
from combine.documents.schema_walk import LISTS, SCALARS, JsonObject, as_object
from combine.workflows.catalog import Catalog, TextAsset
from combine.workflows.definitions import StepDefinition

MAX_FINDINGS = 30
"""Findings shown in one repair prompt; the rest is counted."""
MAX_BROKEN_DRAFT_CHARS = 20_000
"""How much of a reply that was no JSON is shown again."""

REPAIR = """\
The draft is an earlier version of this document; the findings are faults found in it. Fix these, leave the rest byte
for byte, keep every id, and never drop an item to silence a finding; only a finding that asks for it removes one. If
the source does not carry the claim, change the claim. New items take numbers above those in <ids> and in the draft.
Return the whole document."""
REDRAFT = """\
The draft is an earlier version of this document; what it rests on has changed since. Change what no longer agrees
with the sources above, leave the rest byte for byte, and keep the id of everything that stays. Return the whole
document."""
REPAIR_BROKEN = """\
The draft is an earlier reply that could not be read; the findings say why. Write the whole document anew, in the form
that is asked for, and keep the ids it had."""
GUIDANCE = """\
The guidance is a person's word about this document: change what it asks for, leave the rest of a draft byte for byte,
keep the id of everything that stays. Where it and the draft disagree, it decides. Return the whole document."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UpstreamDocument:
    """A document version as a step reads it."""

    type: str
    version: int
    content: JsonObject


@dataclass(frozen=True, slots=True)
class PromptInput:
    """Everything one call's prompt is made of."""

    workflow_id: str
    step: StepDefinition
    model: str
    """``PROVIDER:MODEL`` or a bare model id; decides the suffix."""
    brief: Brief
    answers: tuple[Answer, ...] = ()
    upstream: tuple[UpstreamDocument, ...] = ()
    previous: UpstreamDocument | None = None
    """The version of the step's output that the execution follows: the same things keep their ids. Not shown to a
    final step."""
    next_ids: Mapping[str, int] = field(default_factory=dict)
    """Prefix -> next free number."""
    ask: bool = False
    """Whether the reply may be questions instead of a document."""
    draft: JsonObject | str | None = None
    """On repair or revision the previous output; text if it was not JSON."""
    findings: tuple[Finding, ...] = ()
    guidance: str | None = None
    """A person's reason for sending the document back."""
    hints: tuple[Hint, ...] = ()
    """Review step only."""
    unused_sentences: tuple[str, ...] = ()
    """Review step only: ids of brief sentences that nothing cites."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The text of one request."""

    system: str
    prefix: str
    task: str
    sha256: str
    """Over all three parts."""
    given: PromptInput = field(repr=False, compare=False)
    """What it was rendered from."""


@dataclass(frozen=True, slots=True)
class PromptSections:
    """What a rendered prompt says, read back. Documents are as shown: see ``shown_document``."""

    language: str
    sentences: tuple[tuple[str, str], ...]
    """(id, text) in the brief's order."""
    answers: tuple[JsonObject, ...]
    documents: Mapping[str, JsonObject]
    """Type -> content."""
    previous: JsonObject | None
    output_type: str
    ask: bool
    next_ids: Mapping[str, int]
    draft: JsonObject | str | None
    findings: tuple[JsonObject, ...]
    guidance: str | None
    hints: tuple[JsonObject, ...]
    unused_sentences: tuple[str, ...]


class PromptBuilder:
    """Renders prompts from the catalog's texts and a step's input."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def build(self, given: PromptInput) -> RenderedPrompt:
        """The prompt of one call. Equal input gives equal bytes."""
        system, prefix, task = self._system(given), self._prefix(given), self._task(given)
        digest = sha256(f"{system}\0{prefix}\0{task}".encode()).hexdigest()
        return RenderedPrompt(system=system, prefix=prefix, task=task, sha256=digest, given=given)

    def assets(self, workflow_id: str, step: StepDefinition, model: str) -> dict[str, str]:
        """The files that a step's prompts and checks are made of, with their SHA-256."""
        texts = {
            "prompts/house-rules": self._catalog.house_rules(),
            f"prompts/roles/{step.role}": self._catalog.role_prompt(step.role),
            f"prompts/tasks/{workflow_id}-{step.step_id}": self._catalog.task_prompt(workflow_id, step.step_id),
        }
        suffix = self._suffix(model)
        if suffix is not None:
            texts[f"prompts/models/{suffix.name}"] = suffix
        hashes = {name: text.sha256 for name, text in texts.items()}
        return {**hashes, f"schemas/{step.output}": self._catalog.schema(step.output).sha256}

    def _suffix(self, model: str) -> TextAsset | None:
        return self._catalog.model_suffix(model.partition(":")[2]) or self._catalog.model_suffix(model)

    def _system(self, given: PromptInput) -> str:
        parts = [
            self._catalog.house_rules(),
            self._catalog.role_prompt(given.step.role),
            self._suffix(given.model),
        ]
        return "\n\n".join(part.text.strip() for part in parts if part is not None)

    def _prefix(self, given: PromptInput) -> str:
        parts = [
            f"<language>{_language(given.brief)}</language>",
            _section("brief", [{"id": s.id, "text": s.text} for s in given.brief.sentences]),
            _section("answers", [_answer(a) for a in given.answers]),
        ]
        parts += [self._document("document", d, with_sources=given.step.is_final) for d in given.upstream]
        if given.previous is not None and not given.step.is_final:  # a review judges independently of its last verdict
            parts.append(self._document("previous", given.previous, with_sources=False))
        return "\n".join(parts)

    def _document(self, tag: str, document: UpstreamDocument, *, with_sources: bool) -> str:
        content = shown_document(document.content, with_sources=with_sources)
        lines = [
            {"field": name, "items": value} if isinstance(value, list) else {"field": name, "value": value}
            for name, value in content.items()
        ]
        return _section(tag, lines, type=document.type, version=document.version)

    def _task(self, given: PromptInput) -> str:
        step = given.step
        ask = "true" if given.ask else "false"
        parts = [
            f"<task>\n{self._catalog.task_prompt(given.workflow_id, step.step_id).text.strip()}\n</task>",
            f'<output type="{html.escape(step.output)}" ask="{ask}"/>',
            f"<ids>{_json(dict(sorted(given.next_ids.items())))}</ids>",
        ]
        if step.is_final or given.hints or given.unused_sentences:
            parts.append(_section("hints", [_filled(_hint(h)) for h in given.hints]))
            parts.append(f"<unused_sentences>{_json(list(given.unused_sentences))}</unused_sentences>")
        return "\n".join([*parts, *self._repair(given)])

    def _repair(self, given: PromptInput) -> Iterator[str]:
        draft = given.draft
        if isinstance(draft, Mapping):
            yield f"<draft>{_json(draft)}</draft>"
        elif draft is not None:
            draft = draft[:MAX_BROKEN_DRAFT_CHARS]
            yield f"<draft>{_json(draft)}</draft>"
        if given.findings:
            yield _section("findings", _findings(given.findings, draft))
        if given.guidance is not None:
            yield f"<guidance>{_json(given.guidance)}</guidance>"
        if isinstance(draft, str):
            yield REPAIR_BROKEN
        elif draft is not None and given.findings:
            yield REPAIR
        elif draft is not None and given.guidance is None:
            yield REDRAFT
        if given.guidance is not None:
            yield GUIDANCE


def _language(brief: Brief) -> str:
    """What completes "in the language of"."""
    return "the brief" if brief.language == UNKNOWN_LANGUAGE else html.escape(brief.language)


def read_prompt(prefix: str, task: str) -> PromptSections:
    """What a rendered prompt says. ValueError if the text was not made by ``PromptBuilder``."""
    data = task[max(task.rfind("</task>"), 0) :]
    output = _attributes(re.search(r"<output ([^>]*)/>", data))
    documents = {_attributes(m)["type"]: _content(m.group(2)) for m in _tags("document", prefix)}
    previous = [_content(m.group(2)) for m in _tags("previous", prefix)]
    draft, guidance = _text("draft", data), _text("guidance", data)
    return PromptSections(
        language=html.unescape(_text("language", prefix) or ""),
        sentences=tuple((line["id"], line["text"]) for line in _lines(_text("brief", prefix))),
        answers=_lines(_text("answers", prefix)),
        documents=documents,
        previous=previous[0] if previous else None,
        output_type=output["type"],
        ask=output["ask"] == "true",
        next_ids=json.loads(_text("ids", data) or "{}"),
        draft=None if draft is None else json.loads(draft),
        findings=tuple(line for line in _lines(_text("findings", data)) if "n" in line),
        guidance=None if guidance is None else json.loads(guidance),
        hints=_lines(_text("hints", data)),
        unused_sentences=tuple(json.loads(_text("unused_sentences", data) or "[]")),
    )


def shown_document(content: JsonObject, *, with_sources: bool) -> dict[str, Any]:
    """A document as a prompt shows it: to the final step with the sources of its items, which serve to judge it, and to
    every other step without them.
    """
    return dict(content) if with_sources else {k: _without_sources(v) for k, v in content.items()}


def _without_sources(value: Any) -> Any:
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, LISTS):
        return [_without_sources(v) for v in value]
    members = as_object(value)
    if members is None:
        return value
    is_item = "id" in members
    return {k: _without_sources(v) for k, v in members.items() if not (is_item and k == "sources")}


def _json(value: Any) -> str:
    """One line of JSON that no tag can end and that UTF-8 can carry (a lone surrogate cannot)."""
    text = _ENCODER.encode(value).replace("<", "\\u003c")
    return _SURROGATE.sub(lambda m: f"\\u{ord(m.group()):04x}", text)


def _section(tag: str, lines: Iterable[Any], **attributes: object) -> str:
    opening = "".join(f' {name}="{html.escape(str(value))}"' for name, value in attributes.items())
    return "\n".join([f"<{tag}{opening}>", *map(_json, lines), f"</{tag}>"])


def _answer(answer: Answer) -> dict[str, str]:
    shown = {
        "id": answer.id,
        "question": answer.question,
        "answer": answer.text,
        "decided_by": answer.decided_by.value,
    }
    return shown | ({"assumption": answer.assumption_id} if answer.assumption_id else {})


def _hint(hint: Hint) -> dict[str, str | None]:
    return {"code": hint.code, "document": hint.document, "id": hint.item, "message": hint.message}


def _findings(findings: Sequence[Finding], draft: JsonObject | str | None) -> Iterator[dict[str, Any]]:
    places = dict(_places("$", draft)) if isinstance(draft, Mapping) else {}
    order = {place: number for number, place in enumerate(places)}
    by_id = {item: order[path] for path, item in reversed(places.items()) if item is not None}
    ranked = sorted(findings, key=lambda f: _rank(f, order, by_id))
    for number, finding in enumerate(ranked[:MAX_FINDINGS], start=1):
        yield {"n": number, **_filled(_finding(finding))}
    if len(ranked) > MAX_FINDINGS:
        yield {"more": f"{len(ranked) - MAX_FINDINGS} more"}


def _finding(finding: Finding) -> dict[str, str | None]:
    return {
        "code": finding.code,
        "path": finding.path,
        "id": finding.item,
        "message": finding.message,
        "found": finding.found,
        "expected": finding.expected,
    }


def _filled(shown: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in shown.items() if value is not None}


def _places(path: str, value: Any) -> Iterator[tuple[str, str | None]]:
    """Every JSON path of a document in its order, with the ID of the item that is there."""
    if isinstance(value, Mapping):
        yield path, str(value["id"]) if "id" in value else None
        for name, part in value.items():
            yield from _places(f"{path}.{name}", part)
    else:
        yield path, None
        for number, part in enumerate(value if isinstance(value, list) else ()):
            yield from _places(f"{path}[{number}]", part)


def _rank(finding: Finding, order: Mapping[str, int], by_id: Mapping[str, int]) -> int:
    if finding.path == "$" and finding.item is not None:
        return by_id.get(finding.item, -1)
    path = finding.path
    while path and path not in order:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return order.get(path, -1)


def _tags(tag: str, text: str) -> Iterator[re.Match[str]]:
    return re.finditer(rf"<{tag}(?: ([^>]*))?>\n?([^<]*)</{tag}>", text)


def _text(tag: str, text: str) -> str | None:
    found = next(_tags(tag, text), None)
    return found.group(2) if found else None


def _attributes(found: re.Match[str] | None) -> dict[str, str]:
    if found is None:
        raise ValueError("this text is not a rendered prompt")
    return {name: html.unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', found.group(1) or "")}


def _lines(text: str | None) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in (text or "").split("\n") if line)


def _content(text: str) -> dict[str, Any]:
    return {line["field"]: line["items"] if "items" in line else line["value"] for line in _lines(text)}
