"""One step: prompts -> reserve money -> call -> record -> parse and check -> ask, remediate, or save."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, Protocol
from uuid import UUID, uuid4

from combine.checks import CheckContext, document_hints, next_ids, unused_sentences
from combine.documents.findings import Finding, Hint
from combine.documents.items import id_number
from combine.documents.ordering import content_sha256
from combine.documents.questions import MAX_QUESTION_ROUNDS, Answer
from combine.documents.statuses import CallPurpose, CallState, DocumentStatus
from combine.errors import CombineError, LLMError, PermanentLLMError, TransientLLMError
from combine.execution.context import (
    BudgetReached,
    DocumentSaved,
    LimitReached,
    QuestionsAsked,
    SentBack,
    StepContext,
    StepResult,
)
from combine.execution.output_parser import OutputParser, StepOutput
from combine.execution.step_records import CallTelemetry, StepRecords
from combine.llm.pricing import Pricing
from combine.llm.protocol import LLMProvider, LLMReply, LLMRequest, Progress
from combine.llm.slots import CallSlots
from combine.prompts.builder import PromptBuilder, PromptInput, RenderedPrompt
from combine.prompts.inputs import input_to_json
from combine.records import Call, Document, RecordedPrompt, Usage
from combine.storage.steps import SentBackSince
from combine.workflows.catalog import Catalog, SchemaAsset
from combine.workflows.definitions import StepDefinition
from combine.workflows.models import ModelRef

MICRO_USD = Decimal("0.000001")
"""The unit of the ledger."""
CANCELLED = "cancelled"
"""Error code of a call that this process has cancelled."""
MAX_STEP_OUTPUT_TOKENS = 128_000  # the current models' own limit


class Providers(Protocol):
    """Where a step gets its provider from."""

    def provider(self, ref: ModelRef) -> LLMProvider:
        """The provider of that model. Raises PermanentLLMError if its configuration does not allow calls."""
        ...


@dataclass(slots=True)
class _StepState:
    """The state of a step between its calls."""

    attempt: int
    remediations: int = 0
    draft: Mapping[str, Any] | str | None = None
    findings: tuple[Finding, ...] = ()
    answers: tuple[Answer, ...] = ()
    own_answers: tuple[Answer, ...] = ()
    rounds: int = 0
    output_tokens: int = 0
    call_ids: tuple[UUID, ...] = ()
    prompt_sha256: str = ""
    model: ModelRef = field(kw_only=True)
    """The model to call next, or that has replied last."""


class LLMStepExecutor:
    """Runs one step until it is done or must wait. Everything is in the journal before it returns."""

    def __init__(
        self,
        llm_provider: Providers,
        prompt_builder: PromptBuilder,
        output_parser: OutputParser,
        telemetry: CallTelemetry,
        document_repo: StepRecords,
        *,
        catalog: Catalog,
        pricing: Pricing,
        max_output_tokens: int,
        slots: CallSlots | None = None,
    ) -> None:
        self._providers = llm_provider
        self._slots = slots or CallSlots()
        self._prompts = prompt_builder
        self._parser = output_parser
        self._telemetry = telemetry
        self._journal = document_repo
        self._catalog = catalog
        self._pricing = pricing
        self._max_output_tokens = max_output_tokens
        self._works_again: set[str] = set()
        """Providers that this object has already reported as working."""

    async def execute(self, step: StepDefinition, context: StepContext) -> StepResult:
        """Ask or draft, check, remediate within the limit, save.

        A reply that an earlier run of this step has stored is used again, so it is not paid for twice. Raises LLMError
        if the provider fails or refuses, OwnershipLost if another process has taken over.
        """
        try:
            return await self._execute(step, context)
        except SentBackSince:
            return SentBack()

    async def _execute(self, step: StepDefinition, context: StepContext) -> StepResult:
        schema = self._catalog.schema(step.output)
        # One envelope for all calls of the step, because a different schema would start a new prompt cache.
        envelope = self._catalog.reply_schema(step.output, ask=step.allow_clarification)
        state = _begin(step, context, self._max_output_tokens)
        while True:
            state.attempt += 1
            ask = step.allow_clarification and state.rounds < MAX_QUESTION_ROUNDS and state.draft is None
            call = context.stored.get(state.attempt)
            if call is not None:
                state.model = call.model_ref
            now = replace(
                context,
                model=state.model,
                answers=state.answers,
                own_answers=state.own_answers,
                used_ids=_with_settled(context.used_ids, state.own_answers),
            )
            prompt = self._prompt(step, now, state, ask=ask)
            if call is None:
                call = await self._ask(step, now, state, prompt, envelope, ask=ask)
                if call is None:
                    return BudgetReached()
            state.call_ids += (call.id,)
            output = self._parser.read(
                call,
                step,
                now,
                schema=schema,
                ask=ask,
                draft=state.draft if isinstance(state.draft, Mapping) else None,
                named=state.findings,
            )
            if output.questions:
                if not await self._save_questions(step, now, state, output):
                    return QuestionsAsked(len(output.questions))
            elif output.document is not None and (not output.findings or (context.accept_findings and output.savable)):
                return await self._save(step, replace(now, model=state.model), state, output.document)
            else:
                last = state.remediations >= step.max_remediations
                await self._journal.record_findings(
                    step, context, state.attempt, output.findings, last=last, savable=output.savable
                )
                if last:
                    return LimitReached(output.findings)
                _remediate(state, output, call)

    def _prompt(self, step: StepDefinition, context: StepContext, state: _StepState, *, ask: bool) -> RenderedPrompt:
        prompt = self._prompts.build(self._prompt_input(step, context, state, ask=ask))
        state.prompt_sha256 = prompt.sha256
        return prompt

    def _prompt_input(self, step: StepDefinition, context: StepContext, state: _StepState, *, ask: bool) -> PromptInput:
        schema = self._catalog.schema(step.output)
        return PromptInput(
            workflow_id=context.workflow.workflow_id,
            step=step,
            model=str(context.model),
            brief=context.brief,
            answers=context.answers,
            upstream=context.upstream,
            previous=context.previous,
            next_ids=_next_free(schema, context),
            ask=ask,
            draft=state.draft,
            findings=state.findings,
            guidance=context.guidance,
            hints=self._hints(context) if step.is_final else (),
            unused_sentences=self._unused(context) if step.is_final else (),
        )

    def _hints(self, context: StepContext) -> tuple[Hint, ...]:
        contents = {document.type: document.content for document in context.upstream}
        return tuple(
            hint
            for document in context.upstream
            for hint in document_hints(
                document.content,
                CheckContext(
                    document_type=document.type,
                    schema=self._catalog.schema(document.type).schema,
                    brief=context.brief,
                    answers=context.answers,
                    upstream={name: content for name, content in contents.items() if name != document.type},
                ),
            )
        )

    def _unused(self, context: StepContext) -> tuple[str, ...]:
        return unused_sentences(context.brief, [document.content for document in context.upstream])

    async def _ask(
        self,
        step: StepDefinition,
        context: StepContext,
        state: _StepState,
        prompt: RenderedPrompt,
        envelope: dict[str, Any],
        *,
        ask: bool,
    ) -> Call | None:
        """Call the step's model; if it fails, call the fallback, which is then used for the rest of this run."""
        fallback = context.fallback
        try:
            return await self._call(step, context, state, prompt, envelope)
        except LLMError as error:
            if fallback in {None, context.model} or not _may_be_replaced(error):
                raise
            assert fallback is not None  # None is in the set above
            first = error
        await self._journal.note_fallback(step, context, state.attempt, fallback, first)
        state.model = fallback
        other = replace(context, model=fallback)
        try:
            return await self._call(step, other, state, self._prompt(step, other, state, ask=ask), envelope)
        except LLMError as second:
            raise _worse(first, second, fallback) from second

    async def _call(
        self,
        step: StepDefinition,
        context: StepContext,
        state: _StepState,
        prompt: RenderedPrompt,
        schema: dict[str, Any],
    ) -> Call | None:
        """Call until there is a reply. None: the worst case of the next call could exceed a cap.

        An attempt that may have been billed is a call of its own, so that it has room under the caps. Raises LLMError,
        NoMoreCalls.
        """
        attempts = 0
        while True:
            try:
                return await self._call_once(step, context, state, prompt, schema, attempts_before=attempts)
            except TransientLLMError as error:
                if not error.details.get("may_repeat"):
                    raise
                attempts += int(error.details["attempts"])

    async def _call_once(
        self,
        step: StepDefinition,
        context: StepContext,
        state: _StepState,
        prompt: RenderedPrompt,
        schema: dict[str, Any],
        *,
        attempts_before: int,
    ) -> Call | None:
        """Record the intent, send the request, record the raw reply. None: the worst case could exceed a cap."""
        provider = self._providers.provider(context.model)
        request = LLMRequest(
            model=context.model.model,
            system=prompt.system,
            prefix=prompt.prefix,
            task=prompt.task,
            schema=schema,
            schema_name=step.output,
            max_output_tokens=state.output_tokens,
            attempts_before=attempts_before,
        )
        # Bytes, because a Chinese or Japanese character takes three of them, and may take more than one token.
        text = prompt.system + prompt.prefix + prompt.task
        size = len(text.encode("utf-8", "surrogatepass"))
        size += self._catalog.reply_schema_size(step.output, ask=step.allow_clarification)
        worst = self._pricing.worst_case(context.model, size, state.output_tokens).usd
        call = Call(
            id=uuid4(),
            execution_id=context.execution_id,
            step_id=step.step_id,
            revision=context.revision,
            attempt=state.attempt,
            purpose=_purpose(step, context, state),
            provider=context.model.provider,
            model=context.model.model,
            state=CallState.INTENT,
            prompt_sha256=prompt.sha256,
            prompt=RecordedPrompt(prompt.system, prompt.prefix, prompt.task),
            input=input_to_json(prompt.given),
            reserved_usd=None if worst is None else worst.quantize(MICRO_USD, ROUND_CEILING),
            started_at=datetime.now(UTC),
        )
        async with self._slots.slot(context.model.provider):
            if not await self._journal.open_call(call):
                return None
            replied = await self._send(provider, request, call, context)
        if context.model.provider == context.tries_again and context.tries_again not in self._works_again:
            await self._journal.provider_works_again(context.execution_id, context.tries_again)
            self._works_again.add(context.tries_again)
        return replied

    async def _send(self, provider: LLMProvider, request: LLMRequest, call: Call, context: StepContext) -> Call:
        """Send the request and record the result in the ledger, also if the call fails or is cancelled."""
        used: list[Usage] = []
        reply: LLMReply | None = None
        try:
            async with self._telemetry.call(context.execution_id, call.step_id) as report:

                def on_progress(progress: Progress) -> None:
                    if progress.usage is not None:
                        used.append(progress.usage)
                    else:
                        report(progress)

                reply = await provider.complete(request, on_progress)
        except LLMError as error:
            error.details = {**error.details, "provider": context.model.provider}
            await self._journal.close_call(self._failed(call, error))
            raise
        except asyncio.CancelledError:
            if reply is not None:  # complete, but cancelled before it was returned
                await self._journal.close_call(self._replied(call, reply))
            elif used and used[-1] != Usage():
                await self._journal.close_call(self._failed(call, _cut_short(used[-1])))
            raise  # without known usage, the outcome is unknown and the worst case stays reserved
        replied = self._replied(call, reply)
        await self._journal.close_call(replied)
        return replied

    def _replied(self, call: Call, reply: LLMReply) -> Call:
        price = self._pricing.price(call.model_ref, reply.usage)
        return replace(
            call,
            state=CallState.REPLIED,
            reply=reply.text,
            stop_reason=reply.stop_reason.value,
            stop_detail=reply.detail,
            model_answered=reply.model,
            provider_request_id=reply.request_id,
            transport_attempts=reply.attempts,
            cost_usd=price.usd,
            price_source=price.source,
            **asdict(reply.usage),
        )

    def _failed(self, call: Call, error: CombineError) -> Call:
        """A failed call may have been billed for the part that was streamed."""
        usage = error.details.get("usage")
        usage = usage if isinstance(usage, Usage) else Usage()
        price = self._pricing.price(call.model_ref, usage)
        return replace(
            call,
            state=CallState.FAILED,
            provider_request_id=error.details.get("request_id"),
            transport_attempts=int(error.details.get("attempts", 1)),
            cost_usd=price.usd if usage != Usage() else Decimal(0),
            price_source=price.source,
            error_code=error.code,
            error_message=error.message,
            **asdict(usage),
        )

    async def _save_questions(
        self, step: StepDefinition, context: StepContext, state: _StepState, output: StepOutput
    ) -> bool:
        """Store the questions. True: answers given in advance or defaults settle all of them."""
        asked = await self._journal.save_questions(step, context, state.attempt, state.rounds + 1, output.questions)
        if asked.open:
            return False
        state.answers += asked.settled
        state.own_answers += asked.settled
        state.rounds += 1
        return True

    async def _save(
        self,
        step: StepDefinition,
        context: StepContext,
        state: _StepState,
        document: Mapping[str, Any],
    ) -> DocumentSaved | SentBack:
        made = Document(
            id=uuid4(),
            project_id=context.project_id,
            type=step.output,
            version=0,  # the journal numbers it
            status=DocumentStatus.DRAFT,
            created_at=datetime.now(UTC),
            content=document,
            content_sha256=content_sha256(document),
            origin="offline" if context.model.provider == "offline" else "model",
            execution_id=context.execution_id,
            step_id=step.step_id,
            revision=context.revision,
            attempt=state.attempt,
            call_ids=state.call_ids,
            input_ids=(context.brief_id, *context.input_ids),
            prompt_sha256=state.prompt_sha256,
            assets=self._prompts.assets(context.workflow.workflow_id, step, str(context.model)),
            model=str(context.model),
        )
        saved = await self._journal.save_document(step, context, made)
        if isinstance(saved, SentBack):
            return saved
        asked = state.rounds > context.question_rounds
        return replace(saved, read_again=saved.read_again or asked)


def _begin(step: StepDefinition, context: StepContext, default_tokens: int) -> _StepState:
    return _StepState(
        attempt=context.attempts_done,
        draft=context.draft,
        findings=context.findings,
        answers=context.answers,
        own_answers=context.own_answers,
        rounds=context.question_rounds,
        output_tokens=step.max_output_tokens or default_tokens,
        model=context.model,
    )


def _may_be_replaced(error: LLMError) -> bool:
    """Whether another model may help: this one is unavailable, or no longer exists."""
    return isinstance(error, TransientLLMError) or error.code == "model_not_found"


def _worse(first: LLMError, second: LLMError, fallback: ModelRef) -> LLMError:
    """The error that stops the step after both models have failed: a transient one if possible, which is retried."""
    chosen = first if isinstance(first, TransientLLMError) or isinstance(second, PermanentLLMError) else second
    if chosen is first:
        message = f"{first.message} The fallback {fallback} failed too: {second.message}"
    else:
        message = f"{second.message} This was the fallback {fallback}; the first error was: {first.message}"
    return type(chosen)(message, code=chosen.code, hint=chosen.hint, details=chosen.details)


def _remediate(state: _StepState, output: StepOutput, call: Call) -> None:
    state.remediations += 1
    if output.truncated:
        state.output_tokens = min(2 * state.output_tokens, MAX_STEP_OUTPUT_TOKENS)
        return  # a truncated draft cannot be corrected: the same request again, with a higher limit
    state.draft = output.document if output.document is not None else call.reply
    state.findings = output.findings


def _next_free(schema: SchemaAsset, context: StepContext) -> dict[str, int]:
    free = {prefix: context.used_ids.get(prefix, 0) + 1 for prefix in next_ids(schema.schema, ())}
    return {**free, "ASM": context.used_ids.get("ASM", 0) + 1 + context.assumptions_from}


def _with_settled(used: Mapping[str, int], answers: tuple[Answer, ...]) -> Mapping[str, int]:
    """The numbers in use, including the assumptions from questions of this run."""
    highest = max((id_number(answer.assumption_id) for answer in answers if answer.assumption_id), default=0)
    return {**used, "ASM": max(used.get("ASM", 0), highest)}


def _purpose(step: StepDefinition, context: StepContext, state: _StepState) -> CallPurpose:
    if state.remediations:
        return CallPurpose.REMEDIATION
    if step.is_final:
        return CallPurpose.REVIEW
    return CallPurpose.REVISION if context.revision else CallPurpose.DRAFT


def _cut_short(used: Usage) -> LLMError:
    """A call that was cancelled while its reply streamed. The provider bills what it had produced by then."""
    return LLMError(
        "Cancelled while receiving the reply; input tokens are as reported so far, output tokens are estimated.",
        code=CANCELLED,
        details={"usage": used},
    )
