"""What the tables said at one moment of a recorded execution."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from combine.documents.items import id_number, iter_items
from combine.documents.statuses import CallState, StepStatus
from combine.execution.recording import RecordedCall, RecordedDocument, Recording
from combine.storage.hot.segment_state import (
    DocumentFacts,
    ExecutionFacts,
    QuestionFacts,
    ReplyFacts,
    SegmentState,
    StepFacts,
)
from combine.workflows.definitions import StepDefinition, WorkflowDefinition
from combine.workflows.graph import topological_order

_PREVIOUS = re.compile(r'^<previous type="([^"]+)" version="(\d+)">', re.MULTILINE)


class Past:
    """A recording, read as of any moment."""

    def __init__(self, recording: Recording, workflow: WorkflowDefinition) -> None:
        self._recording = recording
        self._workflow = workflow
        self._final = {step.step_id for step in workflow.steps if step.is_final}
        self._replies = tuple(_reply(call) for call in reversed(_by_end(recording.calls)) if call.reply is not None)

    def state(
        self, step: StepDefinition, revision: int, attempt: int, at: datetime, *, accepted: bool, shown: str | None
    ) -> SegmentState:
        """The state in which ``step`` began after ``attempt``; ``shown``: the sources of its recorded prompt."""
        made = self._made(at)
        now = StepFacts(
            step_id=step.step_id,
            status=StepStatus.RUNNING,
            revision=revision,
            attempt=attempt,
            question_rounds=self._rounds(step.step_id, at),
            document_id=made[step.step_id].id if step.step_id in made else None,
            accepted=accepted,
            guidance=self._guidance(step.step_id, at) if revision else None,
            reason=None,
            reason_code=None,
        )
        others = tuple(
            self._done(one.step_id, made.get(one.step_id))
            for one in topological_order(self._workflow)
            if one.step_id != step.step_id
        )
        return SegmentState(
            execution=self._execution(),
            steps=(now, *others),
            questions=tuple(self._questions(at)),
            documents={document.id: _document(document) for document in made.values()},
            previous=self._previous(step, shown),
            findings=self._recording.findings,
            replies=self._replies,
            used_ids=self._used_ids(at),
        )

    def _execution(self) -> ExecutionFacts:
        given = self._recording
        return ExecutionFacts(
            id=given.execution_id,
            project_id=given.execution_id,
            status="running",
            round=1,
            definition=given.workflow,
            brief_id=given.brief_id,
            brief=given.brief,
            model=given.model,
            ask=given.ask,
            given_answers=given.given_answers,
            revision=0,
            waits_for=None,
            request_id=None,
        )

    def _made(self, at: datetime) -> Mapping[str, RecordedDocument]:
        """Step -> the version it had made last."""
        own = self._recording.execution_id
        there = [one for one in self._recording.documents if one.execution_id != own or one.created_at < at]
        # What was taken over came before anything that the execution has made itself.
        there.sort(key=lambda one: (one.execution_id == own, one.created_at))
        return {one.step_id: one for one in there if one.step_id is not None}

    def _done(self, step_id: str, document: RecordedDocument | None) -> StepFacts:
        revision = 0 if document is None else document.revision or 0
        if step_id in self._final and document is not None:
            revision += 1  # nothing else runs after a review unless the review has been sent back, too
        return StepFacts(
            step_id=step_id,
            status=StepStatus.DONE,
            revision=revision,
            attempt=0,
            question_rounds=0,
            document_id=None if document is None else document.id,
            accepted=False,
            guidance=None,
            reason=None,
            reason_code=None,
        )

    def _rounds(self, step_id: str, at: datetime) -> int:
        events = self._recording.events
        return sum(one.kind == "questions_asked" and one.step_id == step_id and one.at < at for one in events)

    def _guidance(self, step_id: str, at: datetime) -> str | None:
        """A person's words, if the last thing that sent this step back was a person."""
        words: str | None = None
        for event in self._recording.events:
            if event.at >= at:
                break
            if event.kind == "sent_back" and event.step_id == step_id:
                words = event.data.get("reason")
            elif event.kind == "decided" and event.data.get("action") == "try_again":
                words = event.data.get("guidance")
            elif event.kind == "revision_started" and step_id in event.data.get("steps", ()):
                words = None
        return words

    def _questions(self, at: datetime) -> Iterable[QuestionFacts]:
        for one in self._recording.questions:
            if one.answered_at is not None and one.answered_at < at:
                yield QuestionFacts(one.number, one.step_id, one.text, one.answer, one.decided_by, one.assumption_id)

    def _previous(self, step: StepDefinition, shown: str | None) -> dict[str, DocumentFacts]:
        """The version that it follows: the one the prompt showed; to a final step it is not shown, but known."""
        known: dict[tuple[str, int], DocumentFacts] = {
            (one.type, one.version): _document(one) for one in self._recording.documents
        }
        known |= {(one.type, one.version): one for one in self._earlier}
        if step.is_final or shown is None:
            versions = [one.version for one in self._earlier if one.type == step.output]
            key = (step.output, max(versions, default=0))
        else:
            named = _PREVIOUS.search(shown)
            key = (named[1], int(named[2])) if named else ("", 0)
        return {key[0]: known[key]} if key in known else {}

    @property
    def _earlier(self) -> tuple[DocumentFacts, ...]:
        return tuple(_earlier(one.id, one.type, one.version, one.content) for one in self._recording.earlier)

    def _used_ids(self, at: datetime) -> dict[str, dict[str, int]]:
        """What the project had given when it began; what it has given itself is read from its documents."""
        used: dict[str, dict[str, int]] = {}
        for one in self._recording.numbers:
            if one.at < at:
                kinds = used.setdefault(one.type, {})
                kinds[one.prefix] = max(kinds.get(one.prefix, 0), one.highest)
        ids = [question.assumption_id for question in self._questions(at) if question.assumption_id]
        own = [int(name.partition("-")[2]) for name in ids]
        if own:
            answers = used.setdefault("", {})
            answers["ASM"] = max(answers.get("ASM", 0), *own)
        for document in self._recording.documents:
            if document.created_at < at:
                _count(used.setdefault(document.type, {}), document.content)
        return used


def _count(highest: dict[str, int], content: Mapping[str, object]) -> None:
    for item in iter_items(content):
        highest[item.prefix] = max(highest.get(item.prefix, 0), id_number(item.id))


def _by_end(calls: Iterable[RecordedCall]) -> list[RecordedCall]:
    replied = [call for call in calls if call.state == CallState.REPLIED and call.finished_at is not None]
    return sorted(replied, key=lambda call: call.finished_at or call.started_at)


def _reply(call: RecordedCall) -> ReplyFacts:
    return ReplyFacts(
        call.id,
        call.step_id,
        call.revision,
        call.attempt,
        call.reply or "",
        call.stop_reason or "",
        call.stop_detail,
        call.model_answered or call.model,
        call.provider,
        call.model,
    )


def _document(one: RecordedDocument) -> DocumentFacts:
    return DocumentFacts(one.id, one.type, one.version, one.content)


def _earlier(id_: UUID, type_: str, version: int, content: Mapping[str, object]) -> DocumentFacts:
    return DocumentFacts(id_, type_, version, content)
