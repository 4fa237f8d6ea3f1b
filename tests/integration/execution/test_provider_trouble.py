"""A provider that is out: waiting, the one probe, going on together, and fallback models."""

import asyncio
from datetime import UTC, datetime, timedelta

import bakery
import pytest
from house import HandSegment, ProviderByName, Requests, WithFallback

from combine.errors import OwnershipLost, PermanentLLMError, TransientLLMError
from combine.records import Usage

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
DOWN = TransientLLMError("It is overloaded.", code="provider_overloaded")
GONE = PermanentLLMError("There is no such model.", code="model_not_found")
REFUSED = PermanentLLMError("The key is not accepted.", code="api_key_rejected")


DISCOVERY = bakery.reply(bakery.document("project-discovery"))


def answer(request):
    """Of one brief in many executions the discovery asks in each."""
    if request.schema_name == "project-discovery" and '"Q-1"' not in request.prefix:
        return bakery.asking()
    return bakery.reply(bakery.document(request.schema_name))


class Switch:
    """A provider that is out until it is switched on."""

    def __init__(self):
        self.on = False
        self.calls = 0
        self.script = Requests(answer)

    def provider(self, ref):
        return self

    async def complete(self, request, on_progress=None):
        self.calls += 1
        if not self.on:
            raise TransientLLMError("It is overloaded.", code="provider_overloaded")
        return await self.script.complete(request, on_progress)


def later(row, seconds=1.0):
    return row.next_try_at + timedelta(seconds=seconds)


async def statuses(house, ids):
    return [(await house.row(one)).status for one in ids]


async def ten_waiting(house):
    house.llm = Switch()
    ids = [await house.start(**ANSWERED, project=f"bakery {number}") for number in range(10)]
    await house.run()
    assert await statuses(house, ids) == ["waiting_for_provider"] * 10
    return ids


async def test_the_next_try_is_in_the_row_and_in_the_events(house):
    house.says(bakery.script(requirements_doc=[DOWN]))
    before = datetime.now(UTC)
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.waits_for, row.tries) == ("waiting_for_provider", "scripted", 1)
    assert timedelta(seconds=30) <= row.next_try_at - before < timedelta(seconds=60)
    step, rest = (await house.events(execution))[-2:]
    assert (step.kind, rest.kind) == ("step_waiting_for_provider", "execution_waiting_for_provider")
    said = {"provider": "scripted", "next_try_at": row.next_try_at.isoformat(), "tries": 1}
    assert step.data.items() >= said.items()
    assert rest.data.items() >= said.items()


async def test_a_longer_retry_after_is_honoured(house):
    asks = TransientLLMError("Later.", code="retry_after_too_long", details={"retry_after_s": 7200.0})
    house.says(bakery.script(project_discovery=[asks]))
    before = datetime.now(UTC)
    await house.start(**ANSWERED)
    row = await house.run()
    assert timedelta(hours=2) <= row.next_try_at - before < timedelta(hours=2, minutes=1)


async def test_one_of_ten_tries_and_when_it_succeeds_all_go_on(house):
    ids = await ten_waiting(house)
    rows = [await house.row(one) for one in ids]
    assert {(row.next_try_at, row.tries) for row in rows} == {(rows[0].next_try_at, 1)}
    assert await house.release_due(datetime.now(UTC)) == 0
    assert await house.release_due(later(rows[0])) == 1
    assert await house.release_due(later(rows[0])) == 0
    assert sorted(await statuses(house, ids)) == ["queued", *["waiting_for_provider"] * 9]
    house.llm.on = True
    assert (await house.run()).status == "completed"
    assert await house.release_due(datetime.now(UTC)) == 9
    await house.run()
    assert await statuses(house, ids) == ["completed"] * 10
    assert {(row.waits_for, row.tries) for row in [await house.row(one) for one in ids]} == {(None, 0)}
    told = [event.data for one in ids for event in await house.events(one) if event.kind == "provider_tried_again"]
    assert sorted(data["probe"] for data in told) == [False] * 9 + [True]


async def test_a_probe_that_fails_costs_one_call_and_moves_all_on(house):
    ids = await ten_waiting(house)
    first = await house.row(ids[0])
    calls = house.llm.calls
    assert await house.release_due(later(first)) == 1
    # The machine's clock has not come that far, so the time that the others wait for is set back.
    await back_to_the_past(house, ids)
    await house.run()
    assert house.llm.calls == calls + 1
    rows = [await house.row(one) for one in ids]
    assert {(row.status, row.tries, row.next_try_at) for row in rows} == {
        ("waiting_for_provider", 2, rows[0].next_try_at)
    }
    assert rows[0].next_try_at > datetime.now(UTC) + timedelta(seconds=50)


async def back_to_the_past(house, ids):
    async def work(session):
        await session.connection.exec_driver_sql(
            "UPDATE executions SET next_try_at = next_try_at - interval '1 hour' WHERE next_try_at IS NOT NULL"
        )

    await house.database.transact(work)


async def test_resuming_by_hand_is_a_probe_too(house):
    ids = await ten_waiting(house)
    house.llm.on = True
    await house.service.resume(ids[4])
    assert await house.release_due(datetime.now(UTC) + timedelta(minutes=5)) == 0
    assert (await house.run()).status == "completed"
    assert await house.release_due(datetime.now(UTC)) == 9


async def test_a_person_who_cancels_meanwhile_is_obeyed(house):
    ids = await ten_waiting(house)
    await house.service.cancel(ids[0])
    row = await house.row(ids[1])
    assert await house.release_due(later(row)) == 1
    assert (await statuses(house, ids))[:2] == ["cancelled", "queued"]


async def test_two_passes_at_once_release_one(house):
    ids = await ten_waiting(house)
    now = later(await house.row(ids[0]))
    assert sum(await asyncio.gather(*(house.release_due(now) for _ in range(5)))) == 1


@pytest.mark.parametrize("fault", [DOWN, GONE], ids=["out", "gone"])
async def test_a_fallback_answers_where_the_model_does_not(house, fault):
    house.catalog = WithFallback(house.catalog, "openai:spare")
    house.llm = ProviderByName({"scripted": fault, "openai": bakery.script()})
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    calls = [(call.step_id, call.provider, call.model, call.state) for call in await house.calls(execution)]
    # Discovery asks first, then drafts: a step that has changed to its fallback stays with it.
    assert calls[:3] == [
        ("discovery", "scripted", "", "failed"),
        ("discovery", "openai", "spare", "replied"),
        ("discovery", "openai", "spare", "replied"),
    ]
    (used,) = [
        event.data
        for event in await house.events(execution)
        if event.kind == "fallback_used" and event.step_id == "discovery"
    ]
    assert (used["model"], used["fallback_model"], used["code"]) == (
        "scripted",
        "openai:spare",
        f"provider.{fault.code}",
    )
    assert {document.model for document in await house.documents(execution)} == {"openai:spare"}


async def test_a_fallback_s_reply_that_was_stored_before_a_kill_is_not_paid_again(house):
    house.catalog = WithFallback(house.catalog, "openai:spare")
    house.llm = ProviderByName({"scripted": DOWN, "openai": bakery.script(project_discovery=[DISCOVERY])})
    execution = await house.start(**ANSWERED)
    id_, round_ = house.queue[0]
    doomed = HandSegment(house, id_, round_)
    spare = house.llm.of["openai"]
    complete = spare.complete

    async def complete_and_lose(request, on_progress=None):
        doomed.lost = True
        return await complete(request, on_progress)

    spare.complete = complete_and_lose
    with pytest.raises(OwnershipLost):
        await house.runner.run(doomed)
    spare.complete = complete
    assert await house.documents(execution) == ()
    await house.run()
    discoveries = [call for call in await house.calls(execution) if call.step_id == "discovery"]
    assert [(call.provider, call.state) for call in discoveries] == [("scripted", "failed"), ("openai", "replied")]
    assert (await house.documents(execution))[-1].model == "openai:spare"


@pytest.mark.parametrize(
    ("first", "second", "status", "waits_for"),
    [
        (DOWN, DOWN, "waiting_for_provider", "scripted"),
        (DOWN, REFUSED, "waiting_for_provider", "scripted"),
        (GONE, DOWN, "waiting_for_provider", "openai"),
        (GONE, REFUSED, "failed", None),
        (REFUSED, None, "failed", None),
    ],
)
async def test_when_the_fallback_does_not_answer_either(house, first, second, status, waits_for):
    house.catalog = WithFallback(house.catalog, "openai:spare")
    house.llm = ProviderByName({"scripted": first, "openai": second or bakery.script()})
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.waits_for) == (status, waits_for)
    assert first.message in row.reason
    assert second is None or second.message in row.reason
    assert len(await house.calls(execution)) == (1 if second is None else 2)


async def test_a_failed_call_books_what_it_streamed(house):
    cut = TransientLLMError("Cut.", code="stream_cut", details={"usage": Usage(100, 7), "attempts": 4})
    house.says(bakery.script(project_discovery=[cut]))
    execution = await house.start(**ANSWERED)
    await house.run()
    (call,) = await house.calls(execution)
    assert (call.state, call.input_tokens, call.output_tokens, call.transport_attempts) == ("failed", 100, 7, 4)
