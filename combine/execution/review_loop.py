"""Reads the review's verdict and decides what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from combine.documents.findings import Finding, FindingKind, Severity
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.graph import dependents

_SERIOUS = frozenset({Severity.CRITICAL, Severity.MAJOR})
_SENDS_BACK = frozenset({"revise", "reject"})


class AfterReview(Enum):
    """What happens after the review."""

    COMPLETE = "complete"
    REVISE = "revise"
    ASK_PERSON = "ask_person"


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """The parsed verdict and its consequences."""

    after: AfterReview
    findings: tuple[Finding, ...] = ()
    steps: frozenset[str] = frozenset()
    """The steps to run again on REVISE: those of the named documents, their dependents, and the review."""
    reason: str | None = None


def read_findings(review: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The review's findings; empty for a final document that is not a review."""
    found = review.get("findings")
    if not isinstance(found, list):
        return ()
    return tuple(
        Finding(
            kind=FindingKind.SEMANTIC,
            severity=Severity(item["severity"]),
            code=str(item.get("category", "review")),
            document=str(item["document"]),
            item=item.get("item") or None,
            message=_message(item),
            path=f"$.findings[{n}]",
        )
        for n, item in enumerate(found)
        if isinstance(item, dict) and {"severity", "document", "description"} <= item.keys()
    )


def plan_after_review(
    review: Mapping[str, Any], workflow: WorkflowDefinition, final_step: str, *, revisions_done: int
) -> ReviewPlan:
    """What to do after the final step, given how many revisions there have been.

    ``revise`` and ``reject`` with critical or major findings send the named documents back, at most ``max_revisions``
    times. After that, if no document can be sent back, or on ``escalate``, a person decides.
    """
    findings = read_findings(review)
    recommendation = review.get("recommendation")
    action = recommendation.get("action") if isinstance(recommendation, dict) else None
    if action not in _SENDS_BACK | {"escalate"}:
        return ReviewPlan(AfterReview.COMPLETE, findings)
    serious = [finding for finding in findings if finding.severity in _SERIOUS]
    if action == "escalate":
        return ReviewPlan(AfterReview.ASK_PERSON, findings, reason="The review asks for a decision by a person.")
    named = {step.step_id for finding in serious if (step := workflow.producer(finding.document)) is not None}
    named.discard(final_step)
    if not named:
        return ReviewPlan(
            AfterReview.ASK_PERSON, findings, reason=f"The review says {action!r} but names no document to send back."
        )
    steps = frozenset(named) | dependents(workflow, named) | {final_step}
    if revisions_done >= workflow.max_revisions:
        return ReviewPlan(
            AfterReview.ASK_PERSON,
            findings,
            steps,
            reason=f"The review still says {action!r} after {revisions_done} of {workflow.max_revisions} revisions.",
        )
    return ReviewPlan(AfterReview.REVISE, findings, steps)


def _message(item: Mapping[str, Any]) -> str:
    recommendation = str(item.get("recommendation") or "").strip()
    description = str(item["description"]).strip()
    return f"{description} Recommended: {recommendation}" if recommendation else description
