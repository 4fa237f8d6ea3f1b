"""Replays a recorded execution: the same parsing, merging and checks on the stored replies, without a provider."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from combine.documents.ordering import canonical_json, content_sha256
from combine.documents.statuses import CallState
from combine.errors import CombineError, LLMError
from combine.execution.context import DocumentSaved, LimitReached, QuestionsAsked, StepContext
from combine.execution.llm_step_executor import LLMStepExecutor
from combine.execution.old_inputs import with_inputs
from combine.execution.output_parser import OutputParser
from combine.execution.recording import Recording
from combine.execution.replay_parts import (
    NoProvider,
    NoTelemetry,
    RecordEnds,
    ReplayJournal,
    WatchedPrompts,
)
from combine.execution.replay_state import as_of
from combine.execution.state import context_of
from combine.llm.pricing import Pricing
from combine.prompts.builder import PromptBuilder, RenderedPrompt
from combine.prompts.inputs import input_to_json
from combine.records import Call, Document, ExecutionSnapshot
from combine.storage.key_order import snapshot_in_order
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import StepDefinition

MAX_DIFFERENCES = 20
"""Reported per document."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between the stored and the rebuilt document."""

    path: str
    stored: str
    rebuilt: str


@dataclass(frozen=True, slots=True)
class ReplayedDocument:
    """One stored version and the result of replaying it."""

    id: UUID
    type: str
    version: int
    step_id: str
    revision: int
    stored_sha256: str
    rebuilt_sha256: str | None
    """None: no document was produced."""
    identical: bool
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]
    """Why it differs, or may differ."""


@dataclass(frozen=True, slots=True)
class PromptDifference:
    """One request that would differ today."""

    step_id: str
    revision: int
    attempt: int
    parts: tuple[str, ...]
    """``system``, ``prefix``, ``task``."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result of a replay."""

    execution_id: UUID
    identical: bool
    """Every document is identical byte for byte, and every step asked the same questions."""
    documents: tuple[ReplayedDocument, ...]
    replies: int
    """Stored replies that were read."""
    prompts: int
    """Prompts that were rendered again."""
    other_prompts: tuple[PromptDifference, ...]
    other_questions: tuple[str, ...]


@dataclass(slots=True)
class _Revision:
    """One revision of one step during a replay."""

    step: StepDefinition
    number: int
    calls: Sequence[Call]
    attempt: int = 0
    reasons: list[str] = field(default_factory=list)


class Replay:
    """Replays one recording with one catalog. Writes nothing and calls no provider."""

    def __init__(self, recording: Recording, catalog: Catalog) -> None:
        self._recorded: ExecutionSnapshot = snapshot_in_order(with_inputs(recording.snapshot), catalog)
        self._catalog = catalog
        self._journal = ReplayJournal(self._recorded)
        self._prompts: int = 0
        self._other_prompts: list[PromptDifference] = []

    async def run(self) -> ReplayReport:
        """Replay every revision of every step, in the order in which they started."""
        documents = [
            document
            for revision in self._revisions()
            if (document := await self._replay(revision, self._stored(revision))) is not None
        ]
        return ReplayReport(
            execution_id=self._recorded.execution.id,
            identical=all(one.identical for one in documents) and not self._journal.other_questions,
            documents=tuple(documents),
            replies=sum(call.reply is not None for call in self._recorded.calls),
            prompts=self._prompts,
            other_prompts=tuple(self._other_prompts),
            other_questions=tuple(self._journal.other_questions),
        )

    def _revisions(self) -> Iterator[_Revision]:
        groups: dict[tuple[str, int], list[Call]] = {}
        for call in sorted(self._recorded.calls, key=lambda call: call.started_at):
            groups.setdefault((call.step_id, call.revision), []).append(call)
        for (step_id, number), calls in groups.items():
            yield _Revision(self._recorded.execution.workflow.step(step_id), number, calls)

    def _stored(self, revision: _Revision) -> Document | None:
        key = (self._recorded.execution.id, revision.step.step_id, revision.number)
        return next((d for d in self._recorded.documents if (d.execution_id, d.step_id, d.revision) == key), None)

    async def _replay(self, revision: _Revision, stored: Document | None) -> ReplayedDocument | None:
        self._journal.document = None
        revision.reasons += _broken_replies(revision.calls)
        try:
            await self._to_its_document(revision, stored)
        except RecordEnds as end:
            revision.reasons.append(f"The recording ends before the document: {end}.")
        except CombineError as error:  # the local catalog lacks something the step needs
            revision.reasons.append(error.message)
        return None if stored is None else self._compared(revision, stored)

    async def _to_its_document(self, revision: _Revision, stored: Document | None) -> None:
        """Run the step from pause to pause, as in the recording."""
        while (call := _next(revision)) is not None:
            try:
                result = await self._execute(revision, call.started_at, call)
            except LLMError as refusal:
                if not _refused(revision):
                    raise
                revision.reasons.append(refusal.message)
                continue
            if isinstance(result, DocumentSaved):
                return
            if isinstance(result, LimitReached):
                if stored is not None and stored.attempt is not None:  # a person accepted it despite its findings
                    revision.attempt = stored.attempt - 1
                    await self._execute(revision, stored.created_at, call, accepted=True)
                return
            if not isinstance(result, QuestionsAsked):
                return
            revision.attempt = self._journal.asked_at

    async def _execute(self, revision: _Revision, at: datetime, call: Call, *, accepted: bool = False) -> object:
        context = self._context(revision, at, call, accepted=accepted)
        prompts = WatchedPrompts(self._catalog)
        executor = LLMStepExecutor(
            NoProvider(),
            prompts,
            OutputParser(),
            NoTelemetry(),
            self._journal,
            catalog=self._catalog,
            pricing=Pricing({}),
            max_output_tokens=1,
        )
        try:
            return await executor.execute(revision.step, context)
        finally:
            if not accepted:
                self._compare_prompts(revision, prompts.built)

    def _context(self, revision: _Revision, at: datetime, call: Call, *, accepted: bool) -> StepContext:
        state = as_of(self._recorded, revision.step, revision.number, revision.attempt, at, accepted=accepted)
        if call.input is None:
            return context_of(replace(state, previous=()), revision.step)
        shown = call.input["previous"]
        previous = () if shown is None else (self._version(shown["type"], shown["version"]),)
        context = context_of(replace(state, previous=tuple(one for one in previous if one)), revision.step)
        # The number of steps that ran concurrently is only visible in the item numbers that were offered.
        offset = call.input["next_ids"].get("ASM", 1) - 1 - context.used_ids.get("ASM", 0)
        return replace(context, assumptions_from=max(0, offset))

    def _version(self, type_: str, version: int) -> Document | None:
        known = (*self._recorded.previous, *self._recorded.documents)
        return next((one for one in known if (one.type, one.version) == (type_, version)), None)

    def _compare_prompts(self, revision: _Revision, built: Sequence[RenderedPrompt]) -> None:
        for attempt, prompt in enumerate(built, revision.attempt + 1):
            asked = [call for call in revision.calls if call.attempt == attempt]
            if not asked:
                continue
            self._prompts += 1
            if any(call.prompt_sha256 == prompt.sha256 for call in asked):
                continue
            parts = _other_parts(asked[-1], prompt)
            reasons = (*_other_input(asked[-1], prompt), *self._other_assets(revision))
            self._other_prompts.append(
                PromptDifference(revision.step.step_id, revision.number, attempt, parts, reasons)
            )

    def _other_assets(self, revision: _Revision) -> tuple[str, ...]:
        """Prompt and schema files that have changed."""
        stored = self._stored(revision)
        if stored is None:
            return ()
        model = revision.step.model or str(self._recorded.execution.model)
        workflow_id = self._recorded.execution.workflow.workflow_id
        try:
            here = PromptBuilder(self._catalog).assets(workflow_id, revision.step, model)
        except CombineError as error:
            return (error.message,)
        return tuple(_other_hashes(stored.assets, here))

    def _compared(self, revision: _Revision, stored: Document) -> ReplayedDocument:
        version = self._journal.document
        rebuilt = None if version is None else version.content_sha256
        identical = (
            version is not None
            and rebuilt == stored.content_sha256
            and canonical_json(version.content) == canonical_json(stored.content)
        )
        reasons = list(revision.reasons)
        if not identical:
            reasons += self._other_assets(revision)
            if content_sha256(stored.content) != stored.content_sha256:
                reasons.append("The stored content was modified: it does not match its stored SHA-256.")
            if version is None:
                reasons += [f"{one.path}: {one.message} [{one.code}]" for one in self._journal.findings[:5]]
        differences = () if version is None or identical else tuple(_differences(stored.content, version.content, "$"))
        return ReplayedDocument(
            id=stored.id,
            type=stored.type,
            version=stored.version,
            step_id=revision.step.step_id,
            revision=revision.number,
            stored_sha256=stored.content_sha256,
            rebuilt_sha256=rebuilt,
            identical=identical,
            differences=differences[:MAX_DIFFERENCES],
            reasons=() if identical else tuple(dict.fromkeys(reasons)),
        )


def _next(revision: _Revision) -> Call | None:
    return next((call for call in revision.calls if call.attempt > revision.attempt), None)


def _refused(revision: _Revision) -> bool:
    """Skip the next reply that is a refusal; False if there is none."""
    for call in sorted(revision.calls, key=lambda call: call.attempt):
        if call.attempt > revision.attempt and call.stop_reason in {"refusal", "context_exceeded"}:
            revision.attempt = call.attempt
            return True
    return False


def _broken_replies(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls:
        if call.state != CallState.REPLIED:
            continue
        digest = hashlib.sha256((call.reply or "").encode("utf-8", "surrogatepass")).hexdigest()
        if digest != call.reply_sha256:
            yield f"The stored reply of attempt {call.attempt} was modified: it does not match its stored SHA-256."


def _other_hashes(stored: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(stored.keys() | here.keys()):
        before, now = stored.get(name), here.get(name)
        if before != now:
            yield f"{name} differs: {(before or 'none')[:12]} when recorded, {(now or 'none')[:12]} here."


def _other_input(call: Call, prompt: RenderedPrompt) -> Iterator[str]:
    """The parts of the input that have changed, if the call stored all of it."""
    now = input_to_json(prompt.given)
    stored = call.input or {}
    if stored.keys() == now.keys():
        yield from (f"The input {name!r} differs." for name in now if stored[name] != now[name])


def _other_parts(call: Call, prompt: RenderedPrompt) -> tuple[str, ...]:
    if call.prompt is None:
        return ()
    names = ("system", "prefix", "task")
    return tuple(name for name in names if getattr(call.prompt, name) != getattr(prompt, name))


def _differences(stored: object, rebuilt: object, path: str) -> Iterator[Difference]:
    if isinstance(stored, Mapping) and isinstance(rebuilt, Mapping):
        for key in sorted(stored.keys() | rebuilt.keys()):
            if key not in stored or key not in rebuilt:
                yield Difference(f"{path}.{key}", _shown(stored, key), _shown(rebuilt, key))
            else:
                yield from _differences(stored[key], rebuilt[key], f"{path}.{key}")
    elif isinstance(stored, list) and isinstance(rebuilt, list):
        if len(stored) != len(rebuilt):
            yield Difference(path, f"{len(stored)} elements", f"{len(rebuilt)} elements")
        for n, (one, other) in enumerate(zip(stored, rebuilt, strict=False)):
            yield from _differences(one, other, f"{path}[{n}]")
    elif canonical_json(stored) != canonical_json(rebuilt):
        yield Difference(path, canonical_json(stored)[:200], canonical_json(rebuilt)[:200])


def _shown(value: Mapping[str, object], key: str) -> str:
    return canonical_json(value[key])[:200] if key in value else "nothing"
