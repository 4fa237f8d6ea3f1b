"""Executions: start, show, follow, and the actions of people on them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, model_validator

from combine.api.answers import answer
from combine.api.application import AS_A_FILE, LOCATION, REPLAYED
from combine.api.caller import TheServices, TheShell, services_of
from combine.api.errors import responses
from combine.api.event_stream import EVENT_STREAM_RESPONSES, AfterSeq, event_stream, stream_headers
from combine.api.limits import Limit
from combine.api.middleware import is_head
from combine.api.paging import Page, PageQuery, cursor_of, position_of
from combine.api.requests import (
    AnswersByQuestion,
    BodyRoute,
    BriefText,
    CallId,
    ExecutionId,
    Flag,
    Model,
    Name,
    ProjectFilter,
    ProjectName,
    RequestBody,
    UsdInput,
    Words,
    id_or_name,
)
from combine.brief.brief import Brief
from combine.brief.reading import decode_brief, split_brief
from combine.documents.statuses import DecisionAction, ExecutionStatus
from combine.services.bundle import Services
from combine.services.commands import ForkExecution, StartExecution
from combine.services.views import ExecutionDetail, ExecutionView, StepView

router: Final = APIRouter(
    prefix="/api/v1/executions", tags=["executions"], responses=responses(401), route_class=BodyRoute
)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[!-~]+$",
        description="Requests with the same key and body start only one execution. A key is remembered for a day.",
    ),
]


_EITHER: Final[list[JsonValue]] = [
    {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
    for one, other in (("project_id", "project"), ("project", "project_id"))
]


class StartBody(RequestBody):
    """The execution to start. Exactly one of ``project_id`` and ``project`` is required."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _EITHER})
    checked_later = frozenset({"brief"})

    workflow_id: Name = "strategy-document"
    project_id: UUID | None = None
    project: ProjectName | None = None
    """The project's name. A project that does not exist is created with the execution, and the caller owns it."""
    brief: BriefText
    """Text or Markdown."""
    answers: AnswersByQuestion = Field(default_factory=dict)
    """Answers given in advance, by question ID or text."""
    model: Model | None = None
    """``PROVIDER:MODEL``; default: the server's default model."""
    budget_usd: UsdInput | None = None
    ask: Flag = True
    """If false, every question is answered with its default, recorded as an assumption."""
    allow_unpriced: Flag = False
    """Allow models of unknown price even if a cap applies."""

    @model_validator(mode="after")
    def _in_one_project(self) -> Self:
        if (self.project_id is None) is (self.project is None):
            msg = "exactly one of project_id and project is required"
            raise ValueError(msg)
        return self


class AnswerBody(RequestBody):
    """Answers to open questions."""

    answers: AnswersByQuestion = Field(default_factory=dict)
    """By question ID or text."""
    decide_rest: Flag = False
    """Answer the remaining questions with their defaults, recorded as assumptions."""


class AcceptBody(RequestBody):
    """Which document to accept."""

    step_id: Name | None = None
    """Required if several steps are waiting."""


class RejectBody(RequestBody):
    """Why the document is rejected."""

    reason: Words
    step_id: Name | None = None


class DecideBody(RequestBody):
    """What to do when a QA limit has been reached."""

    action: Literal["accept_anyway", "try_again", "cancel"]
    guidance: Words | None = None
    """Required for `try_again`."""


class ResumeBody(RequestBody):
    """Changes for the resumed execution."""

    budget_usd: UsdInput | None = None
    """The new cap on the execution's total cost."""
    allow_unpriced: Flag = False


_NO_ACCEPT_BODY: Final = AcceptBody()
_NO_RESUME_BODY: Final = ResumeBody()


class ForkBody(RequestBody):
    """The new execution."""

    from_step: Name
    """The first step to run again."""
    model: Model | None = None
    budget_usd: UsdInput | None = None
    allow_unpriced: Flag = False


class SettleBody(RequestBody):
    """The actual cost of a call, from the provider's bill."""

    usd: UsdInput
    """0 if the call was not billed."""


@router.post(
    "",
    status_code=201,
    response_model=ExecutionDetail,
    responses={201: {"headers": {**LOCATION, **REPLAYED}}, **responses(403, 404, 409)},
)
async def start(
    body: StartBody, services: TheServices, shell: TheShell, idempotency_key: IdempotencyKey = None
) -> Response:
    """Start an execution. If the Idempotency-Key was used before, return the execution it started."""
    await shell.limits.check(Limit.STARTS, str(services.actor.user_id))
    project = body.project_id or body.project
    assert project is not None  # validated by the body
    command = StartExecution(
        brief=await brief_of(body.brief),
        workflow_id=body.workflow_id,
        project=project,
        model=body.model or shell.serving.default_model,
        ask=body.ask,
        answers=body.answers,
        budget_usd=body.budget_usd,
        allow_unpriced=body.allow_unpriced,
    )
    headers = {}
    if idempotency_key is None:
        execution_id = await services.executions.start(command)
    else:
        started = await services.executions.start_once(command, idempotency_key)
        execution_id = started.execution_id
        headers["Idempotency-Replayed"] = str(started.replayed).lower()
    return await _detail(services, execution_id, status=201, headers=headers)


async def brief_of(text: str) -> Brief:
    """The brief in numbered sentences. Runs in a thread, since a long one takes a while. Raises Invalid."""
    return await asyncio.to_thread(lambda: split_brief(decode_brief(text.encode())))


@router.get("", response_model=Page[ExecutionView], responses=responses(404))
async def list_(
    services: TheServices,
    page: PageQuery,
    project: ProjectFilter = None,
    status: Annotated[ExecutionStatus | None, Query(description="Filter by status.")] = None,
) -> Response:
    """Executions, newest first."""
    views = await services.inspection.list(
        id_or_name(project), status, page.limit + 1, position_of(page.cursor, datetime, UUID)
    )
    return answer(Page[ExecutionView], Page.of(views, page.limit, lambda view: cursor_of(view.created_at, view.id)))


@router.get("/{execution_id}", response_model=ExecutionDetail, responses=responses(404, 409))
async def show(execution_id: ExecutionId, services: TheServices) -> Response:
    """One execution with its steps, documents, questions, findings, calls and cost."""
    return answer(ExecutionDetail, await services.inspection.detail(execution_id))


@router.get("/{execution_id}/steps", response_model=Page[StepView], responses=responses(404, 409))
async def steps(execution_id: ExecutionId, services: TheServices) -> Response:
    """The execution's steps in workflow order, all on one page."""
    detail = await services.inspection.detail(execution_id)
    return answer(Page[StepView], Page(detail.steps, None))


@router.get(
    "/{execution_id}/events",
    response_class=Response,
    response_model=None,
    responses={**EVENT_STREAM_RESPONSES, **responses(404, 409)},
)
async def events(
    execution_id: ExecutionId, after: AfterSeq, request: Request, services: TheServices, shell: TheShell
) -> Response:
    """Stream events (SSE) until the execution has ended.

    With ``Last-Event-ID``, the stream resumes after that event, without gaps or repeats, on any server. A client whose
    access is removed is disconnected within about a minute.
    """
    found = await services.inspection.find(execution_id)
    if is_head(request):
        return stream_headers()

    async def check_access() -> None:
        await (await services_of(request, shell)).inspection.find(str(found))

    slot = shell.streams.slot(str(services.actor.user_id))
    return await event_stream(shell.serving.feed, found, after, check_access=check_access, slot=slot)


@router.get(
    "/{execution_id}/recording",
    response_class=Response,
    response_model=None,
    responses={
        200: {"content": {"application/json": {}}, "description": "A recording.", "headers": AS_A_FILE},
        **responses(404, 409),
    },
)
async def recording(execution_id: ExecutionId, services: TheServices) -> Response:
    """A recording: all data needed to replay the execution elsewhere. It contains no API keys or addresses."""
    file = await services.replays.file(execution_id, compress=False)
    name = f"{file.recording.snapshot.execution.id}.json"
    return Response(file.data, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, "application/json")


@router.post("/{execution_id}/answers", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def give_answers(execution_id: ExecutionId, body: AnswerBody, services: TheServices) -> Response:
    """Answer open questions."""
    done = await services.executions.answer(execution_id, body.answers, decide_rest=body.decide_rest)
    return await _detail(services, done)


@router.post("/{execution_id}/accept", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def accept(execution_id: ExecutionId, services: TheServices, body: AcceptBody = _NO_ACCEPT_BODY) -> Response:
    """Accept the document that is waiting for acceptance."""
    return await _detail(services, await services.executions.accept(execution_id, body.step_id))


@router.post("/{execution_id}/reject", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def reject(execution_id: ExecutionId, body: RejectBody, services: TheServices) -> Response:
    """Reject the document that is waiting for acceptance. The next attempt receives the reason."""
    return await _detail(services, await services.executions.reject(execution_id, body.reason, body.step_id))


@router.post("/{execution_id}/decide", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def decide(execution_id: ExecutionId, body: DecideBody, services: TheServices) -> Response:
    """Decide how to continue when a QA limit has been reached."""
    action = DecisionAction(body.action)
    return await _detail(services, await services.executions.decide(execution_id, action, body.guidance))


@router.post("/{execution_id}/cancel", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def cancel(execution_id: ExecutionId, services: TheServices) -> Response:
    """Cancel the execution permanently. Its documents are kept; a call in flight is aborted."""
    return await _detail(services, await services.executions.cancel(execution_id))


@router.post("/{execution_id}/resume", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def resume(execution_id: ExecutionId, services: TheServices, body: ResumeBody = _NO_RESUME_BODY) -> Response:
    """Resume after a failure, an outage or a budget limit. Finished calls are not repeated or charged again."""
    done = await services.executions.resume(execution_id, body.budget_usd, allow_unpriced=body.allow_unpriced)
    return await _detail(services, done)


@router.post(
    "/{execution_id}/fork",
    status_code=201,
    response_model=ExecutionDetail,
    responses={201: {"headers": LOCATION}, **responses(403, 404, 409)},
)
async def fork(execution_id: ExecutionId, body: ForkBody, services: TheServices, shell: TheShell) -> Response:
    """Start a new execution that reuses what does not depend on the given step, and runs the rest again."""
    await shell.limits.check(Limit.STARTS, str(services.actor.user_id))
    command = ForkExecution(body.from_step, body.model, body.budget_usd, body.allow_unpriced)
    return await _detail(services, await services.executions.fork(execution_id, command), status=201)


@router.post(
    "/{execution_id}/calls/{call_id}/settle", response_model=ExecutionDetail, responses=responses(403, 404, 409)
)
async def settle(execution_id: ExecutionId, call_id: CallId, body: SettleBody, services: TheServices) -> Response:
    """Record the actual cost of a call whose outcome is unknown. Caps then use it instead of the worst case.

    The cost can be corrected later. An execution that is waiting for budget does not continue until it is resumed.
    """
    return await _detail(services, await services.settling.settle(execution_id, call_id, body.usd))


async def _detail(
    services: Services, execution_id: UUID, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    detail = await services.inspection.detail(str(execution_id))
    where = {"Location": f"/api/v1/executions/{execution_id}"} if status == 201 else {}  # noqa: PLR2004 - created
    return answer(ExecutionDetail, detail, status=status, headers={**where, **(headers or {})})
