"""Recordings: an execution taken out of the database as one value, and replayed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from combine import __version__
from combine.auth.permissions import Actor
from combine.errors import CombineError, Conflict, Invalid
from combine.execution.recording import (
    FORMAT,
    VERSION,
    EarlierVersion,
    NumbersTaken,
    RecordedCall,
    RecordedDocument,
    RecordedEvent,
    RecordedPrompt,
    RecordedQuestion,
    Recording,
    write_recording,
)
from combine.execution.replay import Replay, ReplayReport
from combine.services.access import Access
from combine.storage.calls import CallRow, Calls
from combine.storage.core.database import Database, ReadSession
from combine.storage.core.visibility import EVERYTHING
from combine.storage.documents import DocumentRow, Documents
from combine.storage.events import EventRow, Events
from combine.storage.executions import ExecutionRow, Executions
from combine.storage.hot.segment_state import read_segment_state
from combine.storage.projects import Projects
from combine.storage.questions import QuestionRow, Questions
from combine.storage.recordings import Recordings
from combine.storage.steps import Steps
from combine.workflows.catalog import Catalog

_PREVIOUS = re.compile(r'^<previous type="([^"]+)" version="(\d+)">', re.MULTILINE)
_TOLD_BY_MACHINES = frozenset({"reason", "error"})
"""Keys of event data that may hold addresses and paths, unless a person has written them."""
_PEOPLE = frozenset({"sent_back", "decided"})
_EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording and its bytes."""

    recording: Recording
    data: bytes


class ReplayService:
    """Reads only. One public method is one transaction."""

    def __init__(self, database: Database, catalog: Catalog, *, actor: Actor, secrets: Sequence[str]) -> None:
        """``secrets``: texts that no recording may hold."""
        self._database = database
        self._catalog = catalog
        self._access = Access(actor)
        self._secrets = tuple(secrets)

    async def record(self, execution: str) -> Recording:
        """One execution as it is now. Raises NotFound, Invalid, Conflict as every look at an execution does."""
        async with self._database.read(one_moment=True) as session:
            row = await Executions(session).find_by_prefix(execution, self._access.visibility)
            return await _Reader(session, row).read()

    async def file(self, execution: str, *, compress: bool) -> RecordingFile:
        """The same as a file. Raises Conflict if a secret stands in it, such as a key somebody put into a brief."""
        recording = await self.record(execution)
        plain = write_recording(recording, compress=False)
        if _holds(plain, self._secrets):
            raise Conflict(
                "A key or the database's address from the settings stands in this execution; it is not written to a "
                "file.",
                code="recording_has_secret",
                hint="Take it out of the brief or the answers and run it again; consider the key as given away.",
            )
        return RecordingFile(recording, write_recording(recording, compress=True) if compress else plain)

    async def replay(self, execution: str) -> ReplayReport:
        """Rebuild every document of the execution from its stored replies and compare."""
        return await replay_recording(await self.record(execution), self._catalog)


def _holds(data: bytes, secrets: Iterable[str]) -> bool:
    """Whether a secret stands in JSON, also in a text there that is JSON itself, such as a reply.

    However often it was escaped by that, it differs in backslashes only; so all are compared without any.
    """
    bare = _without_backslashes(data)
    written = {json.dumps(secret, ensure_ascii=ascii_)[1:-1] for secret in secrets for ascii_ in (False, True)}
    forms = {_without_backslashes(text.encode("utf-8", "surrogatepass")) for text in written}
    return any(form in bare for form in forms if form)


def _without_backslashes(data: bytes) -> bytes:
    return data.replace(b"\\", b"")


async def replay_recording(recording: Recording, catalog: Catalog) -> ReplayReport:
    """The same for a recording from anywhere. Raises Invalid for one that contradicts itself."""
    try:
        return await Replay(recording, catalog).run()
    except CombineError:
        raise
    except (KeyError, ValueError, TypeError, AssertionError, AttributeError, StopIteration) as error:
        raise Invalid(
            f"The recording contradicts itself: {type(error).__name__}: {error}",
            code="recording_inconsistent",
            hint="Record the execution again: combine record ID --out FILE",
        ) from error


class _Reader:
    """Collects one execution."""

    def __init__(self, session: ReadSession, row: ExecutionRow) -> None:
        self._session = session
        self._row = row

    async def read(self) -> Recording:
        row, session = self._row, self._session
        state = await read_segment_state(session, row.id)
        assert state is not None  # its row has just been read
        calls = await self._calls()
        events = await self._events()
        documents = await self._documents(events)
        until = max((call.started_at for call in calls), default=row.created_at)
        numbers = await Recordings(session).numbers(row.project_id, row.id, until)
        return Recording(
            format=FORMAT,
            version=VERSION,
            made_by=__version__,
            execution_id=row.id,
            project=(await Projects(session).get(row.project_id)).name,
            status=row.status,
            model=row.model,
            ask=row.ask,
            given_answers=dict(row.given_answers),
            forked_from=row.forked_from,
            created_at=row.created_at,
            workflow=dict(row.definition),
            brief_id=row.brief_id,
            brief=dict(state.execution.brief),
            questions=tuple(_question(one) for one in await Questions(session).list(row.id)),
            calls=calls,
            documents=tuple(documents),
            findings=state.findings,
            events=tuple(_event(one) for one in events),
            earlier=await self._earlier(calls, documents),
            numbers=tuple(NumbersTaken(one.at, one.type, one.prefix, one.highest) for one in numbers),
        )

    async def _calls(self) -> tuple[RecordedCall, ...]:
        bodies = await Recordings(self._session).bodies(self._row.id)
        return tuple(_call(one, *bodies[one.id]) for one in await Calls(self._session).list(self._row.id))

    async def _events(self) -> list[EventRow]:
        found: list[EventRow] = []
        while more := await Events(self._session).after(
            self._row.id, found[-1].seq if found else 0, limit=_EVENTS_AT_ONCE
        ):
            found += more
        return found

    async def _documents(self, events: Iterable[EventRow]) -> list[RecordedDocument]:
        """What it has made, in order, behind what it has taken over."""
        documents = Documents(self._session)
        wanted = {one.id for one in await documents.list(EVERYTHING, execution_id=self._row.id)}
        wanted |= {one.document_id for one in await Steps(self._session).list(self._row.id) if one.document_id}
        for event in events:
            if event.kind == "forked_from":
                wanted |= {UUID(text) for text in event.data["taken_over"].values()}
        rows = await documents.get_many(sorted(wanted))
        return sorted((_document(one) for one in rows), key=lambda one: (one.created_at, one.id))

    async def _earlier(
        self, calls: Iterable[RecordedCall], documents: Sequence[RecordedDocument]
    ) -> tuple[EarlierVersion, ...]:
        """Versions of other executions that this one was shown, or that its checks knew."""
        row, repository = self._row, Documents(self._session)
        here = {(one.type, one.version) for one in documents}
        named = {
            (match[1], int(match[2]))
            for call in calls
            if call.prompt is not None and (match := _PREVIOUS.search(call.prompt.prefix))
        }
        found = list(
            await repository.get_many(await Recordings(self._session).counted(row.project_id, row.id, row.created_at))
        )
        known = here | {(one.type, one.version) for one in found}
        found += [await repository.version(row.project_id, *key) for key in sorted(named - known)]
        found.sort(key=lambda one: (one.type, one.version))
        return tuple(EarlierVersion(one.id, one.type, one.version, dict(one.content)) for one in found)


def _call(row: CallRow, prompt: bytes | None, reply: bytes | None) -> RecordedCall:
    names = set(RecordedCall.__slots__) - {"prompt", "reply"}
    facts: dict[str, Any] = {name: getattr(row, name) for name in names}
    return RecordedCall(
        **facts,
        prompt=None if prompt is None else RecordedPrompt(**json.loads(prompt)),
        reply=None if reply is None else reply.decode("utf-8", "surrogatepass"),
    )


def _document(row: DocumentRow) -> RecordedDocument:
    facts: dict[str, Any] = {name: getattr(row, name) for name in RecordedDocument.__slots__}
    facts["call_ids"], facts["input_ids"] = tuple(row.call_ids), tuple(row.input_ids)
    return RecordedDocument(**facts)


def _question(row: QuestionRow) -> RecordedQuestion:
    asked, answer = row.question, row.answer
    return RecordedQuestion(
        number=row.number,
        step_id=row.step_id,
        round=row.round,
        text=asked.text,
        why=asked.why,
        answer_type=asked.answer_type.value,
        choices=tuple(asked.choices),
        default=asked.default,
        required=asked.required,
        answer=None if answer is None else answer.text,
        decided_by=None if answer is None else answer.decided_by.value,
        assumption_id=None if answer is None else answer.assumption_id,
        answered_at=row.answered_at,
    )


def _event(row: EventRow) -> RecordedEvent:
    data: Mapping[str, Any] = row.data
    if row.kind not in _PEOPLE:
        data = {name: value for name, value in data.items() if name not in _TOLD_BY_MACHINES}
    return RecordedEvent(row.seq, row.at, row.kind, row.step_id, dict(data))
