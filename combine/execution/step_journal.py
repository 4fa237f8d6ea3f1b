"""The transactions of one step. Each begins with the ownership fence, except the one that stores a paid reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from combine.documents.findings import Finding
from combine.documents.questions import Question, waits_for_answers
from combine.documents.statuses import StepStatus
from combine.errors import LLMError
from combine.execution.budgets import CODES, PRICE_UNKNOWN, no_price, no_room
from combine.execution.clarification import settle_questions
from combine.execution.context import Asked, DocumentSaved, SentBack, StepContext
from combine.execution.kept_replies import KeptReplies
from combine.execution.review_loop import AfterReview, ReviewPlan, plan_after_review, read_findings
from combine.execution.segment import Segment
from combine.records import Call, Document
from combine.storage.core.database import Database, WriteSession
from combine.storage.events import Events
from combine.storage.findings import Findings
from combine.storage.hot.caps import Caps
from combine.storage.hot.journal import Journal
from combine.storage.hot.numbering import Numbering
from combine.storage.hot.outages import Outages
from combine.storage.hot.transitions import Transitions
from combine.storage.questions import Questions
from combine.storage.steps import Steps
from combine.workflows.definitions import StepDefinition
from combine.workflows.models import ModelRef

NO_VALID_DOCUMENT = "no_valid_document"
"""Reason code of a step that waits for a decision other than "accept anyway"."""
REMEDIATIONS_USED_UP = "remediations_used_up"
"""Reason code of a step that waits for a decision about its last output, which is not saved."""


@dataclass(frozen=True, slots=True)
class StepJournal:
    """Records the progress of a step.

    Methods that pause or end a step raise SentBackSince if it was sent back while it ran, as its new revision has not
    started.
    """

    database: Database
    segment: Segment
    replies: KeptReplies
    daily_budget_usd: Decimal | None = None
    """The cap of the whole installation per day (UTC)."""

    async def open_call(self, call: Call) -> bool:
        """Commit the intent and its reservation. False: a cap would be exceeded; the step waits."""
        opened: bool | None = None
        while opened is None:
            opened = await self._reserve(call) or await self._wait_for_budget(call)
        return opened

    async def _reserve(self, call: Call) -> bool:
        claim, daily = self.segment.claim, self.daily_budget_usd
        return await self.database.once(
            lambda session: Journal(session).open_call(claim, call, daily), give_up_after=None
        )

    async def _wait_for_budget(self, call: Call) -> bool | None:
        """The cap that stops the call. None: no longer any, as another call has cost less than its reservation."""

        async def work(session: WriteSession) -> bool | None:
            await self.segment.claim.hold(session)
            if await Journal(session).knows_call(call.id):
                return True  # by a commit whose response was lost
            caps = await Caps(session).of(call.execution_id, self.daily_budget_usd)
            cap = next((cap for cap in caps if cap.refuses(call.reserved_usd)), None)
            step = call.execution_id, call.step_id, call.revision
            if cap is None:
                await Steps(session).need_revision(*step)
                return None
            worst = call.reserved_usd
            reason = no_room(cap, worst) if worst is not None else no_price(cap, str(call.model_ref))
            await Steps(session).update_revision(
                *step,
                status=StepStatus.WAITING_FOR_BUDGET.value,
                reason=reason,
                reason_code=PRICE_UNKNOWN if worst is None else CODES[cap.kind],
            )
            needs = None if worst is None else str(worst)
            data = {"cap": cap.kind.value, "needs_usd": needs, "reason": reason}
            await Events(session).append(call.execution_id, "budget_reached", call.step_id, data)
            return False

        return await self.database.transact(work, give_up_after=None)

    async def close_call(self, call: Call) -> None:
        """Store a paid reply, even if this process has lost the segment or the step is cancelled."""
        await self.replies.store(call)

    async def note_fallback(
        self, step: StepDefinition, context: StepContext, attempt: int, fallback: ModelRef, error: LLMError
    ) -> None:
        """Record that a model other than the step's own is used, and why."""
        data = {
            "attempt": attempt,
            "model": str(context.model),
            "fallback_model": str(fallback),
            "reason": error.message,
            "code": f"provider.{error.code}",
        }

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            await Events(session).append(context.execution_id, "fallback_used", step.step_id, data)

        await self.database.transact(work, give_up_after=None)

    async def provider_works_again(self, execution_id: UUID, provider: str) -> None:
        """The first call after an outage has succeeded: all executions waiting for that provider may continue."""

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            await Outages(session).over(execution_id, provider)

        await self.database.transact(work, give_up_after=None)

    async def record_findings(
        self,
        step: StepDefinition,
        context: StepContext,
        attempt: int,
        findings: Sequence[Finding],
        *,
        last: bool,
        savable: bool,
    ) -> None:
        """Store the findings of one attempt; after the last one the step waits for a person's decision.

        ``savable``: the output is valid by its schema, so a person may accept it with its findings.
        """

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            key = (context.execution_id, step.step_id, context.revision)
            recorded = await Findings(session).insert_many(*key, attempt, findings)
            if last:
                await Steps(session).update_revision(
                    *key,
                    status=StepStatus.WAITING_FOR_DECISION.value,
                    attempt=attempt,
                    reason=f"{step.output} still has findings after attempt {attempt} ({len(findings)} in total).",
                    reason_code=REMEDIATIONS_USED_UP if savable else NO_VALID_DOCUMENT,
                )
            if recorded:
                return
            data = {"attempt": attempt, "findings": len(findings), "codes": sorted({f.code for f in findings})}
            await Events(session).append(context.execution_id, "findings_found", step.step_id, data)

        await self.database.transact(work, give_up_after=None)

    async def save_questions(
        self, step: StepDefinition, context: StepContext, attempt: int, round_: int, questions: Sequence[Question]
    ) -> Asked:
        """Number and store the questions; settle those that have an answer given in advance, or "decide for me"."""

        async def work(session: WriteSession) -> Asked:
            await self.segment.claim.hold(session)
            repository = Questions(session)
            rows = await repository.insert_many(context.execution_id, step.step_id, round_, questions)
            # Read inside the transaction: this step's first round, or a concurrent step, may have taken numbers since.
            highest = await Numbering(session).highest(context.execution_id, "ASM")
            settled = settle_questions(
                [row for row in rows if row.answer is None],
                context.given_answers,
                decide_rest=not context.ask,
                next_assumption=highest + 1,
                strict=False,
            )
            for one in settled:
                await repository.answer(
                    context.execution_id, one.number, one.text, one.decided_by, assumption_id=one.assumption_id
                )
            before = [row.settled for row in rows if row.settled is not None]  # by a commit whose response was lost
            waiting = len(rows) - len(before) - len(settled)
            await Steps(session).update_revision(
                context.execution_id,
                step.step_id,
                context.revision,
                attempt=attempt,
                question_rounds=round_,
                status=(StepStatus.WAITING_FOR_ANSWERS if waiting else StepStatus.RUNNING).value,
                reason=waits_for_answers(waiting, len(rows)) if waiting else None,
            )
            await Events(session).append(
                context.execution_id,
                "questions_asked",
                step.step_id,
                {"questions": [row.id for row in rows], "open": waiting},
            )
            return Asked((*before, *(one.answer() for one in settled)), waiting)

        return await self.database.transact(work, give_up_after=None)

    async def save_document(
        self, step: StepDefinition, context: StepContext, document: Document
    ) -> DocumentSaved | SentBack:
        """Save document, version, event, step and, for the final step, what its verdict leads to, in one commit."""
        plan = (
            plan_after_review(document.content, context.workflow, step.step_id, revisions_done=context.revisions_done)
            if step.is_final
            else ReviewPlan(AfterReview.COMPLETE)
        )

        status = _status_after(step, plan)
        claim = self.segment.claim

        async def save(session: WriteSession) -> int | None:
            return await Journal(session).save_document(
                claim, document, replaces=context.document_id, step_status=status.value, reason=plan.reason
            )

        async def save_with_consequences(session: WriteSession) -> int | None:
            number = await save(session)
            if number is not None:
                await _apply_verdict(session, step, context, document, plan)
            return number

        if step.is_final:
            number = await self.database.transact(save_with_consequences, give_up_after=None)
        else:
            number = await self.database.once(save, give_up_after=None)
        if number is None:
            number = await self._saved_before(document)
        if number is None:
            return SentBack()
        revised = plan.after is AfterReview.REVISE
        return DocumentSaved(replace(document, version=number), status, revised)

    async def _saved_before(self, document: Document) -> int | None:
        """The version number, if a commit whose response was lost has saved it. Raises OwnershipLost."""

        async def work(session: WriteSession) -> int | None:
            await self.segment.claim.hold(session)
            return await Journal(session).saved_version(document.id)

        return await self.database.transact(work, give_up_after=None)


def _status_after(step: StepDefinition, plan: ReviewPlan) -> StepStatus:
    if plan.after is AfterReview.ASK_PERSON:
        return StepStatus.WAITING_FOR_DECISION
    if plan.after is AfterReview.COMPLETE and step.requires_acceptance:
        return StepStatus.WAITING_FOR_ACCEPTANCE
    return StepStatus.DONE


async def _apply_verdict(
    session: WriteSession, step: StepDefinition, context: StepContext, document: Document, plan: ReviewPlan
) -> None:
    """Apply the final document's verdict."""
    found = read_findings(document.content)
    await Findings(session).insert_many(
        context.execution_id, step.step_id, context.revision, document.attempt or 0, found
    )
    if plan.after is not AfterReview.REVISE:
        return
    transitions = Transitions(session)
    await transitions.send_back(context.execution_id, sorted(plan.steps), {})
    await transitions.count_revision(context.execution_id)
    await Events(session).append(
        context.execution_id,
        "revision_started",
        step.step_id,
        {"revision": context.revisions_done + 1, "steps": sorted(plan.steps), "findings": len(found)},
    )
