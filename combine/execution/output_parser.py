"""From a raw reply to questions, a checked document, or findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from combine.checks import CheckContext, check_document
from combine.documents.findings import Finding, FindingKind, Severity
from combine.documents.items import iter_items
from combine.documents.questions import Question
from combine.documents.schema_walk import in_schema_order
from combine.errors import PermanentLLMError
from combine.execution.clarification import with_assumptions
from combine.execution.context import StepContext
from combine.llm.protocol import StopReason
from combine.prompts.replies import parse_reply
from combine.records import Call
from combine.workflows.catalog import SchemaAsset
from combine.workflows.definitions import StepDefinition


@dataclass(frozen=True, slots=True)
class StepOutput:
    """The content of one reply. A document with findings is not saved."""

    questions: tuple[Question, ...]
    document: Mapping[str, Any] | None
    findings: tuple[Finding, ...]
    truncated: bool = False

    @property
    def savable(self) -> bool:
        """Whether it is a document that is valid by its schema, whatever other findings it has."""
        return self.document is not None and all(finding.code != "schema" for finding in self.findings)


class OutputParser:
    """Parses a reply, adds the assumptions that code has recorded, and runs the mechanical QA."""

    def read(
        self,
        call: Call,
        step: StepDefinition,
        context: StepContext,
        *,
        schema: SchemaAsset,
        ask: bool,
        draft: Mapping[str, Any] | None,
        named: tuple[Finding, ...],
    ) -> StepOutput:
        """The questions or the document in this reply, with findings. Raises PermanentLLMError if the model refused.

        Args:
            call: the call and its raw reply.
            step: the step whose prompt was sent.
            context: the step's input.
            schema: the schema of the step's output.
            ask: whether questions were allowed.
            draft: the previous output, if this one corrects it.
            named: the findings that it was asked to correct; the items they name may be removed.

        """
        _raise_if_refused(call, step)
        if call.stop_reason == StopReason.MAX_TOKENS:
            return StepOutput((), None, (_truncated(step),), truncated=True)
        parsed = parse_reply(
            call.reply or "",
            document_type=step.output,
            schema=schema.schema,
            ask=ask,
            earlier_questions=tuple(answer.question for answer in context.answers),
        )
        if parsed.document is None:
            return StepOutput(parsed.questions, None, parsed.findings)
        document = in_schema_order(with_assumptions(parsed.document, context.own_answers), schema.schema)
        checked = check_document(
            document,
            CheckContext(
                document_type=step.output,
                schema=schema.schema,
                brief=context.brief,
                answers=context.answers,
                upstream={upstream.type: upstream.content for upstream in context.upstream},
                draft=draft,
                droppable_ids=context.droppable_ids | {finding.item for finding in named if finding.item},
                used_ids=context.used_ids,
                known_ids=known_ids(context),
            ),
        )
        return StepOutput((), document, parsed.findings + checked.findings)


def known_ids(context: StepContext) -> frozenset[str]:
    """Ids that this document may keep: those of the previous version and of the step's earlier output."""
    contents = [context.previous.content] if context.previous else []
    if isinstance(context.draft, Mapping):
        contents.append(context.draft)
    return context.own_ids | frozenset(item.id for content in contents for item in iter_items(content))


def _raise_if_refused(call: Call, step: StepDefinition) -> None:
    if call.stop_reason == StopReason.REFUSAL:
        detail = f" ({call.stop_detail})" if call.stop_detail else ""
        raise PermanentLLMError(
            f"{call.answered_by} refused to write {step.output} in step {step.step_id}{detail}.",
            code="llm_refused",
            hint="Rephrase the part of the brief that may have caused the refusal, or choose another model (--model).",
        )
    if call.stop_reason == StopReason.CONTEXT_EXCEEDED:
        raise PermanentLLMError(
            f"The input of step {step.step_id} exceeds the context of {call.answered_by}.",
            code="llm_context_exceeded",
            hint="Shorten the brief or choose a model with a larger context (--model).",
        )


def _truncated(step: StepDefinition) -> Finding:
    return Finding(
        FindingKind.MECHANICAL,
        Severity.CRITICAL,
        "reply_truncated",
        step.output,
        "The reply was cut at its length limit; write shorter, and return the whole document.",
    )
