"""Mechanical QA: everything code can prove about a document, all findings at once, and hints for what it suspects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from combine.checks.context import CheckContext
from combine.checks.coverage import check_coverage, unused_sentences
from combine.checks.hints import find_hints
from combine.checks.ids import check_ids, next_ids
from combine.checks.known import Known
from combine.checks.references import check_references
from combine.checks.schema import check_schema
from combine.checks.sizes import check_sizes
from combine.checks.sources import check_sources
from combine.checks.verdict import check_verdict
from combine.checks.walk import Walked
from combine.documents.findings import Finding, Hint, Severity, fault
from combine.documents.items import MAX_DEPTH, is_too_deep
from combine.documents.schema_walk import as_object

__all__ = ["CheckContext", "CheckResult", "check_document", "document_hints", "next_ids", "unused_sentences"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What code can prove. Hints and unused sentences of the brief are computed when they are read."""

    findings: tuple[Finding, ...]
    document: Mapping[str, Any] = field(repr=False)
    context: CheckContext = field(repr=False)

    @property
    def hints(self) -> tuple[Hint, ...]:
        """What code only suspects, as by ``document_hints``."""
        return document_hints(self.document, self.context)

    @property
    def unused_sentences(self) -> tuple[str, ...]:
        """Ids of brief sentences that neither this document nor the upstream ones cite."""
        read = self.context.upstream.values()
        is_readable = as_object(self.document) is not None and not is_too_deep(self.document)
        return unused_sentences(self.context.brief, [*read, self.document] if is_readable else read)


def check_document(document: Mapping[str, Any], context: CheckContext) -> CheckResult:
    """Check one document against its schema, its sources and the documents before it.

    Never raises, whatever the document is: rules ignore parts that do not have the expected shape.
    """
    return CheckResult(tuple(_findings(document, context)), document, context)


def document_hints(document: Mapping[str, Any], context: CheckContext) -> tuple[Hint, ...]:
    """What code can only suspect about a document: candidates for the review, at most 60. Never raises."""
    if is_too_deep(document):
        return ()
    walked = Walked(as_object(document) or {}, context)
    return find_hints(walked, context, Known(context, walked))


def _findings(document: Any, context: CheckContext) -> list[Finding]:
    if is_too_deep(document):
        message = f"The document is nested more than {MAX_DEPTH} levels deep: follow the schema."
        return [fault(Severity.CRITICAL, "schema", context.document_type, message)]
    walked = Walked(document, context)
    findings = check_schema(walked, context)
    if not as_object(document):
        return findings
    known = Known(context, walked)
    faulted = frozenset(finding.path for finding in findings)
    return [
        *findings,
        *check_ids(walked, context, faulted),
        *check_sources(walked, context, known, faulted),
        *check_references(walked, context, known),
        *check_sizes(walked, context),
        *check_coverage(walked, context),
        *check_verdict(walked, context),
    ]
