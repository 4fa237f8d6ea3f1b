"""Reading a model's reply: an envelope with questions or a document, with a defined outcome for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from combine.documents.findings import Finding, Severity, fault, shown
from combine.documents.questions import Question
from combine.prompts.reply_json import read_object
from combine.prompts.reply_questions import check_questions
from combine.workflows.provider_schema import drop_empty_optionals

QUESTIONS, DOCUMENT = "questions", "document"


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says. With findings it is not usable: its questions are not asked, and its document is only a
    draft to be repaired.
    """

    questions: tuple[Question, ...]
    document: dict[str, Any] | None
    findings: tuple[Finding, ...]


def parse_reply(
    text: str,
    *,
    document_type: str,
    schema: Mapping[str, Any],
    ask: bool,
    earlier_questions: tuple[str, ...] = (),
) -> ParsedReply:
    """The questions or the document of a reply, or findings that say what is wrong with its form.

    The document has its empty optional fields dropped and holds only what can be stored; whether it is a good one
    is for ``checks``. A bare document without the envelope is accepted if it has every field the schema requires.
    Never raises.
    """
    read = read_object(text, document_type, lambda value: _is_envelope(value) or _is_bare(value, schema))
    if read.value is None:
        return ParsedReply((), None, read.findings)
    findings = list(read.findings)

    def refuse(code: str, message: str, path: str = "$", found: Any = None) -> None:
        findings.append(fault(Severity.CRITICAL, code, document_type, message, path=path, found=found))

    envelope = read.value
    if _is_bare(envelope, schema) and not _is_envelope(envelope):
        envelope = {DOCUMENT: envelope}
    if DOCUMENT not in envelope and QUESTIONS not in envelope:
        message = f"The reply has none of the fields {_expected(ask)}: put the {document_type} into document."
        refuse("wrong_top_level", message, found=", ".join(sorted(envelope)) or "{}")
        return ParsedReply((), None, tuple(findings))
    for name in envelope.keys() - {DOCUMENT, QUESTIONS}:
        refuse("extra_field", f"The reply has a field {shown(name, 60)} beside {_expected(ask)}: leave it out.")
    document = _document(envelope.get(DOCUMENT), schema, refuse)
    raw = envelope.get(QUESTIONS) or []
    if not isinstance(raw, list):
        refuse("questions_not_list", "questions is a list.", "$.questions", raw)
        raw = []
    questions, problems = check_questions(raw, document_type, earlier_questions)
    _check_content(raw, document, envelope, refuse, ask=ask, document_type=document_type)
    findings += problems if ask else ()
    return ParsedReply(() if findings else questions, document, tuple(findings))


def _check_content(
    raw: list[Any],
    document: dict[str, Any] | None,
    envelope: Mapping[str, Any],
    refuse: Any,
    *,
    ask: bool,
    document_type: str,
) -> None:
    if raw and document is not None and ask:
        refuse("questions_and_document", "Give questions or the document, not both: without the answers, no draft.")
    elif raw and not ask:
        refuse("questions_not_allowed", "No questions can be asked now: write the document with assumptions instead.")
    elif not raw and envelope.get(DOCUMENT) is None:
        refuse("reply_without_content", f"The reply holds neither questions nor a document: write the {document_type}.")


def _expected(ask: bool) -> str:  # noqa: FBT001
    return "questions, document" if ask else "document"


def _is_envelope(value: Mapping[str, Any]) -> bool:
    document, questions = value.get(DOCUMENT), value.get(QUESTIONS)
    return isinstance(document, dict) or (DOCUMENT in value and document is None) or isinstance(questions, list)


def _is_bare(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    required = schema.get("required")
    return bool(required) and isinstance(required, list) and all(name in value for name in required)


def _document(raw: Any, schema: Mapping[str, Any], refuse: Any) -> dict[str, Any] | None:
    if isinstance(raw, dict):
        return drop_empty_optionals(raw, schema)
    if raw is not None:
        refuse("document_not_object", "document is an object that follows the schema.", "$.document", raw)
    return None
