"""What a command prints when an execution has finished or waits: a JSON object, or a summary for a person."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

from combine.cli.exit_codes import PROVIDER_PREFIX
from combine.cli.formatting import NO_MODEL, OFFLINE_BANNER, count, duration, short, status_words, usd
from combine.documents.findings import FindingKind, Severity
from combine.documents.statuses import CallState, ExecutionStatus, StepStatus
from combine.services.views import ExecutionDetail, ExecutionView, QuestionView

Paths = Mapping[UUID, Path]
"""Where the JSON file of each document was written, by document id."""


def as_object(detail: ExecutionDetail, paths: Paths) -> dict[str, Any]:
    """The object of ``--json``. Its keys are a contract: add none, omit none."""
    return {
        "execution_id": str(detail.execution.id),
        "status": detail.execution.status.value,
        "project": detail.execution.project,
        "documents": [
            {
                "type": document.type,
                "version": document.version,
                "id": str(document.id),
                "path": str(paths[document.id]) if document.id in paths else None,
            }
            for document in detail.current_documents
        ],
        "questions": [_question(question) for question in detail.questions],
        "findings": [asdict(finding) for finding in detail.findings],
        "cost_usd": None if detail.cost_usd is None else float(detail.cost_usd),
        "tokens": asdict(detail.tokens),
        "calls": len(detail.calls),
        "duration_s": round(detail.duration_s, 3),
    }


def _question(question: QuestionView) -> dict[str, Any]:
    return {**asdict(question), "choices": list(question.choices)}


def summary(detail: ExecutionDetail, paths: Paths) -> Iterator[str]:
    """The lines for a person: the documents, the cost and the next step."""
    execution = detail.execution
    name = short(execution.id)
    yield f"{_headline(detail)} (execution {name}, project {execution.project!r})"
    if execution.status is not ExecutionStatus.COMPLETED and execution.reason:
        yield execution.reason
    if is_offline(detail):
        yield OFFLINE_BANNER
    if detail.current_documents:
        yield ""
        yield from _documents(detail, paths)
    if execution.status is ExecutionStatus.WAITING_FOR_ANSWERS:
        yield ""
        yield from _question_lines(detail)
    if execution.status is ExecutionStatus.WAITING_FOR_DECISION and detail.findings:
        yield ""
        yield from finding_lines(detail)
    yield ""
    if detail.findings and execution.status is ExecutionStatus.COMPLETED:
        yield f"Review    {count(len(detail.findings), 'finding')} ({_by_severity(detail)})"
    yield f"Cost      {cost_text(detail)}"
    yield f"Tokens    {tokens_text(detail)}"
    yield f"Next      {next_step(detail, paths)}"


def _by_severity(detail: ExecutionDetail) -> str:
    found = Counter(finding.severity for finding in detail.findings)
    return ", ".join(f"{severity}: {found[severity]}" for severity in Severity if found[severity])


def _headline(detail: ExecutionDetail) -> str:
    documents = count(len(detail.current_documents), "document")
    status = detail.execution.status
    if status is ExecutionStatus.COMPLETED:
        return f"Completed: {documents} in {duration(detail.duration_s)}"
    return f"{status_words(status).capitalize()}: {documents} so far, ran for {duration(detail.duration_s)}"


def _documents(detail: ExecutionDetail, paths: Paths) -> Iterator[str]:
    rows = [
        (
            document.type,
            f"version {document.version}",
            str(paths[document.id].with_suffix(".md")) if document.id in paths else short(document.id),
        )
        for document in detail.current_documents
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for row in rows:
        yield f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}"


def _question_lines(detail: ExecutionDetail) -> Iterator[str]:
    """The open questions, with what is needed to answer them in a file."""
    for question in detail.open_questions:
        yield f"  {question.id}  {question.text}"
        yield f"       why: {question.why}"
        for number, choice in enumerate(question.choices, 1):
            yield f"       {number}. {choice}"
        yield f"       default: {question.default}"


def finding_lines(detail: ExecutionDetail) -> Iterator[str]:
    """The findings of the checks and of the review, one line each."""
    for found in detail.findings:
        # The path of a finding of the review points into the review itself.
        path = found.path if found.kind == FindingKind.MECHANICAL else ""
        place = " ".join(part for part in (found.document, found.item or path) if part and part != "$")
        yield f"  {found.severity:<11} {place}: {found.message} [{found.code}]"


def is_offline(detail: ExecutionDetail) -> bool:
    """Whether the documents were drafted by rules instead of a model."""
    return detail.execution.model == "offline" or any(call.provider == "offline" for call in detail.calls)


def cost_text(detail: ExecutionDetail) -> str:
    """The cost, and what is uncertain about it."""
    if detail.calls and all(call.provider == "offline" for call in detail.calls):
        return f"0 USD: {NO_MODEL}"
    unknown = [call for call in detail.calls if call.state == CallState.OUTCOME_UNKNOWN]
    text = usd(detail.cost_usd)
    if unknown:
        text += f", including the amount reserved for {count(len(unknown), 'call')} with an unknown outcome"
    if detail.execution.budget_usd is not None:
        text += f" of a budget of {usd(detail.execution.budget_usd)}"
    return text


def tokens_text(detail: ExecutionDetail) -> str:
    """The tokens of all calls."""
    tokens = detail.tokens
    cached = f", {tokens.cache_read:,} read from and {tokens.cache_write:,} written to the cache"
    return (
        f"{tokens.input:,} in, {tokens.output:,} out{cached if tokens.cache_read or tokens.cache_write else ''}; "
        f"{count(len(detail.calls), 'call')}"
    )


_NEXT = {
    ExecutionStatus.WAITING_FOR_ANSWERS: (
        "combine answer {name}  (asks one by one; or use --answers FILE, or --no-questions to accept the defaults)"
    ),
    ExecutionStatus.WAITING_FOR_DECISION: (
        "combine resume {name} --decision accept-anyway, or --decision try-again --guidance TEXT, or --decision cancel"
    ),
    ExecutionStatus.CANCELLED: (
        "combine resume {name} --from STEP  (starts a new execution that reuses what does not depend on that step)"
    ),
    ExecutionStatus.QUEUED: "combine resume {name}, or combine watch {name} if a worker is running it",
    ExecutionStatus.RUNNING: "combine watch {name}, or combine resume {name} if no worker is running it any more",
}


_NEXT_AT_A_CAP = {
    "project_budget_reached": "combine projects budget {project} USD, then combine resume {name}",
    "daily_budget_reached": "combine resume {name} tomorrow (UTC), or raise COMBINE_DAILY_BUDGET_USD first",
    "price_unknown": "set its price (COMBINE_LLM_PRICES), then combine resume {name}; or resume with --allow-unpriced",
}
_NEXT_AT_ITS_OWN_CAP = "combine resume {name} --budget USD  (the new maximum total cost)"
_OTHER_MODEL = frozenset({f"{PROVIDER_PREFIX}model_not_found", f"{PROVIDER_PREFIX}permission_denied"})


def next_step(detail: ExecutionDetail, paths: Paths) -> str:
    """The command to run next."""
    execution, name = detail.execution, short(detail.execution.id)
    match execution.status:
        case ExecutionStatus.COMPLETED:
            line = _after_completion(detail, paths)
        case ExecutionStatus.WAITING_FOR_ACCEPTANCE:
            line = _to_accept(detail)
        case ExecutionStatus.WAITING_FOR_BUDGET:
            line = _NEXT_AT_A_CAP.get(execution.reason_code or "", _NEXT_AT_ITS_OWN_CAP)
            line = line.format(name=name, project=shlex.quote(execution.project))
        case ExecutionStatus.WAITING_FOR_PROVIDER:
            line = f"{retry_text(execution)}; to retry now: combine resume {name}"
        case status if status in _NEXT:
            line = _NEXT[status].format(name=name)
        case _:
            line = _after_failure(execution, name)
    return line


def _after_failure(execution: ExecutionView, name: str) -> str:
    if execution.reason_code in _OTHER_MODEL:
        return (
            f"fix the problem above, then combine resume {name}; to use another model, start a new execution: "
            "combine run BRIEF --model PROVIDER:MODEL"
        )
    first = "fix the problem above, then " if (execution.reason_code or "").startswith(PROVIDER_PREFIX) else ""
    return f"{first}combine resume {name}  (finished work is not repeated or charged again)"


def retry_text(execution: ExecutionView) -> str:
    """When a worker retries; nothing else retries automatically."""
    if execution.next_try_at is None:
        return "a running worker (combine worker) retries automatically"
    failed = f" ({count(execution.tries, 'failed attempt')})" if execution.tries else ""
    when = f"{execution.next_try_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"a running worker (combine worker) retries at {when}{failed}"


def _after_completion(detail: ExecutionDetail, paths: Paths) -> str:
    last = detail.current_documents[-1] if detail.current_documents else None
    if last is None:
        return f"combine show {short(detail.execution.id)}"
    if last.id in paths:
        return f"read {paths[last.id].with_suffix('.md')}; for all steps: combine show {short(detail.execution.id)}"
    project = shlex.quote(detail.execution.project)
    return (
        f"combine docs show {last.type} --project {project}; "
        f"to save files: combine docs export --project {project} --out DIR"
    )


def _to_accept(detail: ExecutionDetail) -> str:
    name = short(detail.execution.id)
    waiting = [step for step in detail.steps if step.status is StepStatus.WAITING_FOR_ACCEPTANCE]
    shows = [f"combine docs show {short(step.document_id)}" for step in waiting if step.document_id is not None]
    which = f" --step {waiting[0].step_id}" if len(waiting) > 1 else ""
    others = f"; then do the same for {', '.join(step.step_id for step in waiting[1:])}" if len(waiting) > 1 else ""
    return (
        f"{' and '.join(shows) or 'read the document'}, then combine accept {name}{which}, "
        f"or combine reject {name}{which} --reason TEXT{others}"
    )
