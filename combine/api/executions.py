"""Executions: start, look, follow, and what people do to them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue, model_validator

from combine.api.answers import answer
from combine.api.bodies import Body
from combine.api.caller import TheServices, services_of
from combine.api.errors import responses
from combine.api.event_stream import EVENT_STREAM_RESPONSES, AfterSeq, event_stream
from combine.api.fields import Answers, BriefText, Flag, Model, Name, ProjectName, Usd, Words
from combine.api.heads import headers_only, stream_headers
from combine.api.limits import Limit
from combine.api.names import IDEMPOTENCY_KEY, CallId, ExecutionId, ProjectAsked, project_named
from combine.api.openapi import AS_A_FILE, LOCATION, REPLAYED
from combine.api.paging import Page, PageAsked, cursor_of, position
from combine.api.reading import BodyRoute
from combine.api.shell import TheShell
from combine.brief.brief import Brief
from combine.brief.reading import decode_brief, split_brief
from combine.documents.statuses import DecisionAction, ExecutionStatus
from combine.services.bundle import Services
from combine.services.executions import StartExecution
from combine.services.forks import ForkExecution
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
        pattern=IDEMPOTENCY_KEY,
        description="The same key with the same body starts once, however often it is sent; it counts for a day.",
    ),
]


_EITHER: Final[list[JsonValue]] = [
    {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
    for one, other in (("project_id", "project"), ("project", "project_id"))
]


class StartBody(Body):
    """What it takes to start one. The project is named by one of the two."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _EITHER})

    workflow_id: Name = "strategy-document"
    project_id: UUID | None = None
    project: ProjectName | None = None
    """Its name. Where nobody has such a project, it is made if the execution is started, and is yours."""
    brief: BriefText
    """Text or Markdown."""
    answers: Answers = Field(default_factory=dict)
    """Given in advance, by question id or text."""
    model: Model | None = None
    """``PROVIDER:MODEL``; none: the server's default."""
    budget_usd: Usd | None = None
    ask: Flag = True
    """False: every question is left to the program, and becomes a declared assumption."""
    allow_unpriced: Flag = False
    """Run models of unknown price although a cap applies."""

    @model_validator(mode="after")
    def _in_one_project(self) -> Self:
        if (self.project_id is None) is (self.project is None):
            msg = "the project is named by project_id or by project"
            raise ValueError(msg)
        return self


class AnswerBody(Body):
    """Answers to open questions."""

    answers: Answers = Field(default_factory=dict)
    """By question id or text."""
    decide_rest: Flag = False
    """Leave the others to the program; they become declared assumptions."""


class AcceptBody(Body):
    """Which document is accepted."""

    step_id: Name | None = None
    """Needed where several steps wait."""


class RejectBody(Body):
    """Why a document goes back."""

    reason: Words
    step_id: Name | None = None


class DecideBody(Body):
    """What to do where a QA limit is reached."""

    action: Literal["accept_anyway", "try_again", "cancel"]
    guidance: Words | None = None
    """Needed to try again."""


class ResumeBody(Body):
    """How to go on."""

    budget_usd: Usd | None = None
    """What it may cost in all from now on."""
    allow_unpriced: Flag = False


_NOTHING_SAID: Final = AcceptBody()
_AS_IT_IS: Final = ResumeBody()
"""Of requests without a body."""


class ForkBody(Body):
    """From where a new execution takes over."""

    from_step: Name
    model: Model | None = None
    budget_usd: Usd | None = None
    allow_unpriced: Flag = False


class SettleBody(Body):
    """What a call has cost, as the provider's bill shows."""

    usd: Usd
    """0: it was not billed."""


@router.post(
    "",
    status_code=201,
    response_model=ExecutionDetail,
    responses={201: {"headers": {**LOCATION, **REPLAYED}}, **responses(403, 404, 409)},
)
async def start(
    body: StartBody, services: TheServices, shell: TheShell, idempotency_key: IdempotencyKey = None
) -> Response:
    """Start an execution. With an Idempotency-Key that has been used, the answer is the first one's, as it stands."""
    await shell.limits.check(Limit.STARTS, str(services.actor.user_id))
    project = body.project_id or body.project
    assert project is not None  # the body sees to it
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
    """The text in numbered sentences; beside the loop, as a long one takes a while. Raises Invalid."""
    return await asyncio.to_thread(lambda: split_brief(decode_brief(text.encode())))


@router.get("", response_model=Page[ExecutionView], responses=responses(404))
async def list_(
    services: TheServices,
    page: PageAsked,
    project: ProjectAsked = None,
    status: Annotated[ExecutionStatus | None, Query(description="Only those in this status.")] = None,
) -> Response:
    """Executions, the newest first."""
    views = await services.inspection.list(
        project_named(project), status, page.limit + 1, position(page.cursor, datetime, UUID)
    )
    return answer(Page[ExecutionView], Page.of(views, page.limit, lambda view: cursor_of(view.created_at, view.id)))


@router.get("/{execution_id}", response_model=ExecutionDetail, responses=responses(404, 409))
async def show(execution_id: ExecutionId, services: TheServices) -> Response:
    """Steps, documents, questions, findings, calls and cost of one execution."""
    return answer(ExecutionDetail, await services.inspection.detail(execution_id))


@router.get("/{execution_id}/steps", response_model=Page[StepView], responses=responses(404, 409))
async def steps(execution_id: ExecutionId, services: TheServices) -> Response:
    """The steps in the order of the workflow; all on one page."""
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
    """Events as they happen (SSE), until the execution has ended.

    ``Last-Event-ID`` goes on behind that event, without a gap and without a repeat, on any process. Who may see it no
    longer is cut off within about a minute.
    """
    found = await services.inspection.find(execution_id)
    if headers_only(request):
        return stream_headers()

    async def still_allowed() -> None:
        await (await services_of(request, shell)).inspection.find(str(found))

    seat = shell.streams.taken(str(services.actor.user_id))
    return await event_stream(shell.serving.feed, found, after, allowed=still_allowed, seat=seat)


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
    """Everything its documents were made of, to be replayed elsewhere. No key and no address is in it."""
    file = await services.replays.file(execution_id, compress=False)
    name = f"{file.recording.snapshot.execution.id}.json"
    return Response(file.data, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, "application/json")


@router.post("/{execution_id}/answers", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def give_answers(execution_id: ExecutionId, body: AnswerBody, services: TheServices) -> Response:
    """Settle open questions."""
    done = await services.executions.answer(execution_id, body.answers, decide_rest=body.decide_rest)
    return await _detail(services, done)


@router.post("/{execution_id}/accept", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def accept(execution_id: ExecutionId, services: TheServices, body: AcceptBody = _NOTHING_SAID) -> Response:
    """Accept the document that waits."""
    return await _detail(services, await services.executions.accept(execution_id, body.step_id))


@router.post("/{execution_id}/reject", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def reject(execution_id: ExecutionId, body: RejectBody, services: TheServices) -> Response:
    """Send the document that waits back; the reason becomes an input of the next attempt."""
    return await _detail(services, await services.executions.reject(execution_id, body.reason, body.step_id))


@router.post("/{execution_id}/decide", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def decide(execution_id: ExecutionId, body: DecideBody, services: TheServices) -> Response:
    """Say what happens where a QA limit is reached."""
    action = DecisionAction(body.action)
    return await _detail(services, await services.executions.decide(execution_id, action, body.guidance))


@router.post("/{execution_id}/cancel", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def cancel(execution_id: ExecutionId, services: TheServices) -> Response:
    """End it for good; what it has made stays. A call in flight is cut."""
    return await _detail(services, await services.executions.cancel(execution_id))


@router.post("/{execution_id}/resume", response_model=ExecutionDetail, responses=responses(403, 404, 409))
async def resume(execution_id: ExecutionId, services: TheServices, body: ResumeBody = _AS_IT_IS) -> Response:
    """Go on after a failure, an outage or a budget; what was finished is not done or paid again."""
    done = await services.executions.resume(execution_id, body.budget_usd, allow_unpriced=body.allow_unpriced)
    return await _detail(services, done)


@router.post(
    "/{execution_id}/fork",
    status_code=201,
    response_model=ExecutionDetail,
    responses={201: {"headers": LOCATION}, **responses(403, 404, 409)},
)
async def fork(execution_id: ExecutionId, body: ForkBody, services: TheServices, shell: TheShell) -> Response:
    """Start a new execution that takes over what stands before one step, and runs that step and what follows anew."""
    await shell.limits.check(Limit.STARTS, str(services.actor.user_id))
    command = ForkExecution(body.from_step, body.model, body.budget_usd, body.allow_unpriced)
    return await _detail(services, await services.executions.fork(execution_id, command), status=201)


@router.post(
    "/{execution_id}/calls/{call_id}/settle", response_model=ExecutionDetail, responses=responses(403, 404, 409)
)
async def settle(execution_id: ExecutionId, call_id: CallId, body: SettleBody, services: TheServices) -> Response:
    """Say what a call of unknown outcome has cost; under every cap that counts from now on, and not its worst case.

    For owners. Saying it again is allowed. What waits at a cap stays there until it is resumed.
    """
    return await _detail(services, await services.settling.settle(execution_id, call_id, body.usd))


async def _detail(
    services: Services, execution_id: UUID, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    detail = await services.inspection.detail(str(execution_id))
    where = {"Location": f"/api/v1/executions/{execution_id}"} if status == 201 else {}  # noqa: PLR2004 - created
    return answer(ExecutionDetail, detail, status=status, headers={**where, **(headers or {})})
