"""Mechanical QA: everything code can prove about a document, all findings at once, and hints for what it suspects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from combine.workflows.checks.context import CheckContext, CheckResult
from combine.workflows.checks.coverage import check_coverage, unused_sentences
from combine.workflows.checks.hints import find_hints
from combine.workflows.checks.ids import check_ids, next_ids
from combine.workflows.checks.known import Known
from combine.workflows.checks.references import check_references
from combine.workflows.checks.schema import check_schema
from combine.workflows.checks.sizes import check_sizes
from combine.workflows.checks.sources import check_sources
from combine.workflows.checks.verdict import check_verdict
from combine.workflows.findings import Severity
from combine.workflows.items import MAX_DEPTH, is_too_deep
from combine.workflows.mechanical import fault

__all__ = ["CheckContext", "CheckResult", "check_document", "next_ids", "unused_sentences"]


def check_document(document: Mapping[str, Any], context: CheckContext) -> CheckResult:
    """Check one document against its schema, its sources and the documents before it.

    Never raises, whatever the document is: rules look only at what has the shape they know.
    """
    if is_too_deep(document):
        message = f"The document is nested more than {MAX_DEPTH} levels deep: follow the schema."
        finding = fault(Severity.CRITICAL, "schema", context.document_type, message)
        return CheckResult((finding,), (), unused_sentences(context.brief, context.upstream.values()))
    findings = check_schema(document, context)
    given: Any = document
    content = given if isinstance(given, Mapping) else {}
    known = Known(context, content)
    faulted = frozenset(finding.path for finding in findings)
    if content:
        findings += [
            *check_ids(content, context, faulted),
            *check_sources(content, context, known, faulted),
            *check_references(content, context, known),
            *check_sizes(content, context),
            *check_coverage(content, context),
            *check_verdict(content, context),
        ]
    return CheckResult(
        findings=tuple(findings),
        hints=tuple(find_hints(content, context, known)),
        unused_sentences=unused_sentences(context.brief, [*context.upstream.values(), content]),
    )
