"""Remediation, the review's verdict, acceptance, decisions, budgets, provider trouble: each outcome as defined."""

import asyncio
from decimal import Decimal

import bakery
import pytest
from house import HandSegment
from side_by_side import with_step

from combine.documents.statuses import DecisionAction
from combine.engine.engine import Adoption
from combine.errors import Conflict, Invalid, OwnershipLost, PermanentLLMError, TransientLLMError
from combine.llm.pricing import ModelPrice, Pricing
from combine.llm.protocol import StopReason
from combine.llm.scripted import ScriptedReply
from combine.records import Usage
from combine.workflows.catalog import load_catalog

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}


def draft(type_, **changes):
    return bakery.reply(bakery.document(type_) | changes)


def invented_quote():
    document = bakery.document("requirements-doc")
    document["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    return bakery.reply(document)


async def test_an_invented_quote_is_sent_back_to_the_same_role_with_the_cited_text(house):
    house.says(bakery.script(requirements_doc=[invented_quote(), draft("requirements-doc")]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    (finding,) = await house.findings_of(execution, "requirements")
    assert (finding.code, finding.item, finding.attempt) == ("quote_not_found", "FR-001", 1)
    repair = next(r for r in house.llm.seen if "<draft>" in r.task and r.schema_name == "requirements-doc")
    assert "words that nobody has ever written" in repair.task
    assert "quote_not_found" in repair.task
    purposes = [call.purpose for call in await house.calls(execution) if call.step_id == "requirements"]
    assert purposes == ["draft", "remediation"]


async def test_the_prefix_is_the_same_for_a_draft_and_its_repair(house):
    house.says(bakery.script(requirements_doc=[invented_quote(), draft("requirements-doc")]))
    await house.start(**ANSWERED)
    await house.run()
    first, repair = (r for r in house.llm.seen if r.schema_name == "requirements-doc")
    assert (first.system, first.prefix, first.schema) == (repair.system, repair.prefix, repair.schema)


async def test_remediations_are_bounded_and_then_a_person_decides(house):
    house.says(bakery.script(requirements_doc=[invented_quote()]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason_code) == ("waiting_for_decision", "remediations_used_up")
    assert len([call for call in await house.calls(execution) if call.step_id == "requirements"]) == 3
    with pytest.raises(Invalid):
        await house.service.decide(execution, DecisionAction.TRY_AGAIN, "  ")
    house.says(bakery.script(requirements_doc=[draft("requirements-doc")]))
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Quote the brief word by word.")
    assert (await house.run()).status == "completed"
    request = next(r for r in house.llm.seen if r.schema_name == "requirements-doc")
    assert "Quote the brief word by word." in request.task
    assert "quote_not_found" in request.task


async def test_accepting_anyway_saves_the_last_output_without_another_call(house):
    house.says(bakery.script(requirements_doc=[invented_quote()]))
    execution = await house.start(**ANSWERED)
    await house.run()
    before = len(house.llm.seen)
    await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    assert (await house.run()).status == "completed"
    assert [r.schema_name for r in house.llm.seen[before:]] == ["architecture-doc", "strategy-review"]
    stored = await house.content(execution, "requirements-doc")
    assert "words that nobody has ever written" in str(stored)


async def test_what_is_no_valid_document_cannot_be_accepted(house):
    house.says(bakery.script(requirements_doc=["this is not JSON at all"]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert row.reason_code == "no_valid_document"
    with pytest.raises(Conflict) as caught:
        await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    assert caught.value.code == "not_acceptable"
    assert (await house.row(execution)).status == "waiting_for_decision"


async def test_a_rejecting_review_sends_the_document_and_its_dependents_back(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review()), draft("strategy-review")]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.revision) == ("completed", 1)
    assert {name: step.revision for name, step in (await house.steps(execution)).items()} == {
        "discovery": 0,
        "requirements": 1,
        "architecture": 1,
        "review": 1,
    }
    assert await house.versions(execution) == [
        ("architecture-doc", 1, "superseded"),
        ("architecture-doc", 2, "active"),
        ("project-discovery", 1, "active"),
        ("requirements-doc", 1, "superseded"),
        ("requirements-doc", 2, "active"),
        ("strategy-review", 1, "superseded"),
        ("strategy-review", 2, "active"),
    ]
    revision = [r for r in house.llm.seen if r.schema_name == "requirements-doc"][1]
    assert "OBJ-002 says never" in revision.task


async def test_a_review_that_goes_on_rejecting_stops_at_the_limit(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review())]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.revision) == ("waiting_for_decision", 1)
    assert "after 1 of 1 revisions" in row.reason
    await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    assert (await house.run()).status == "completed"
    assert ("strategy-review", 2, "active") in await house.versions(execution)


async def test_trying_again_after_the_review_s_limit_tells_the_producers(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review())]))
    execution = await house.start(**ANSWERED)
    await house.run()
    house.says(bakery.script())
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Make phone orders a must.")
    assert (await house.run()).status == "completed"
    assert [r.schema_name for r in house.llm.seen] == ["requirements-doc", "architecture-doc", "strategy-review"]
    assert "Make phone orders a must." in house.llm.seen[0].task


async def test_escalation_goes_to_a_person_at_once(house):
    review = bakery.rejecting_review()
    review["overall_assessment"]["status"] = "rejected"
    review["recommendation"]["action"] = "escalate"
    house.says(bakery.script(strategy_review=[bakery.reply(review)]))
    await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.revision) == ("waiting_for_decision", 0)


async def test_a_verdict_that_disagrees_with_its_findings_is_a_mechanical_finding(house):
    review = bakery.rejecting_review()
    review["overall_assessment"]["status"] = "approved"
    review["recommendation"]["action"] = "proceed"
    house.says(bakery.script(strategy_review=[bakery.reply(review), draft("strategy-review")]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    codes = {row.code for row in await house.findings(execution) if row.kind == "mechanical"}
    assert any("verdict" in code for code in codes)


def gated(catalog):
    """The seed workflow with a gate behind the requirements."""
    return with_step(catalog, 1, requires_acceptance=True)


@pytest.fixture
def gated_house(house):
    house.catalog = gated(load_catalog(None))
    return house


async def test_a_gate_waits_and_acceptance_goes_on(gated_house):
    execution = await gated_house.start(**ANSWERED)
    row = await gated_house.run()
    assert row.status == "waiting_for_acceptance"
    with pytest.raises(Conflict):
        await gated_house.service.accept(execution, "discovery")
    await gated_house.service.accept(execution)
    assert (await gated_house.run()).status == "completed"
    with pytest.raises(Conflict):
        await gated_house.service.accept(execution)


async def test_a_gate_sends_back_with_a_reason_that_reaches_the_prompt(gated_house):
    execution = await gated_house.start(**ANSWERED)
    await gated_house.run()
    await gated_house.service.reject(execution, "FR-003 must name the till staff.")
    row = await gated_house.run()
    assert row.status == "waiting_for_acceptance"
    assert "FR-003 must name the till staff." in gated_house.llm.seen[-1].task
    assert "<draft>" in gated_house.llm.seen[-1].task
    await gated_house.service.accept(execution)
    assert (await gated_house.run()).status == "completed"
    assert ("requirements-doc", 1, "superseded") in await gated_house.versions(execution)


async def test_at_the_cap_the_execution_pauses_and_goes_on_with_more(house):
    house.pricing = Pricing({"scripted": ModelPrice(Decimal(100), Decimal(1000))})
    execution = await house.start(**ANSWERED, budget_usd=Decimal("3.5"))
    row = await house.run()
    assert (row.status, row.reason_code) == ("waiting_for_budget", "budget_reached")
    assert row.spent_usd <= Decimal("3.5")
    assert row.reserved_usd == 0
    with pytest.raises(Conflict) as caught:
        await house.service.resume(execution)
    assert caught.value.code == "budget_needed"
    seen = len(house.llm.seen)
    await house.service.resume(execution, Decimal(1000))
    row = await house.run()
    assert row.status == "completed"
    calls = await house.calls(execution)
    assert len(calls) == len(house.llm.seen) == 5 > seen
    assert row.spent_usd == sum(call.cost_usd for call in calls)


async def test_a_budget_needs_a_known_price(house):
    with pytest.raises(Invalid) as caught:
        await house.start(model="openai:a-model-nobody-knows", budget_usd=Decimal(1))
    assert caught.value.code == "price_unknown"


@pytest.mark.parametrize(
    ("error", "status", "reason_code"),
    [
        (TransientLLMError("overloaded", code="overloaded"), "waiting_for_provider", "provider.overloaded"),
        (PermanentLLMError("wrong key", code="key_refused"), "failed", "provider.key_refused"),
    ],
)
async def test_provider_trouble_stops_the_execution_and_resume_goes_on(house, error, status, reason_code):
    house.says(bakery.script(requirements_doc=[error]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason_code) == (status, reason_code)
    (failed,) = [call for call in await house.calls(execution) if call.step_id == "requirements"]
    assert (failed.state, failed.error_message) == ("failed", error.message)
    house.says(bakery.script())
    await house.service.resume(execution)
    assert (await house.run()).status == "completed"
    assert [r.schema_name for r in house.llm.seen] == ["requirements-doc", "architecture-doc", "strategy-review"]


async def test_a_partly_billed_failure_is_in_the_books(house):
    error = TransientLLMError("cut", code="stream_cut", details={"usage": Usage(10, 20)})
    house.pricing = Pricing({"scripted": ModelPrice(Decimal(100), Decimal(1000))})
    house.says(bakery.script(requirements_doc=[error]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    (failed,) = [call for call in await house.calls(execution) if call.step_id == "requirements"]
    assert failed.cost_usd == Decimal("0.021")
    assert row.spent_usd == sum(call.cost_usd for call in await house.calls(execution))


async def test_a_refusal_names_the_step_and_a_resume_asks_anew(house):
    refusal = ScriptedReply(text="", stop_reason=StopReason.REFUSAL, detail="cyber")
    house.says(bakery.script(requirements_doc=[refusal]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason_code) == ("failed", "provider.llm_refused")
    assert "requirements" in row.reason
    assert "cyber" in row.reason
    house.says(bakery.script())
    await house.service.resume(execution)
    assert (await house.run()).status == "completed"


async def test_a_reply_cut_at_its_limit_is_asked_again_with_more_room(house):
    cut = ScriptedReply(text='{"questions": [], "docu', stop_reason=StopReason.MAX_TOKENS)
    house.says(bakery.script(requirements_doc=[cut, draft("requirements-doc")]))
    await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    first, second = (r for r in house.llm.seen if r.schema_name == "requirements-doc")
    assert (first.max_output_tokens, second.max_output_tokens) == (1000, 2000)
    assert "<draft>" not in second.task


MALFORMED = {
    "not JSON": "Certainly! Here are your requirements.",
    "truncated": draft("requirements-doc")[:400],
    "empty": "",
    "wrong schema": bakery.reply({"functional_requirements": "many"}),
    "extra fields": draft("requirements-doc", confidence=0.9),
    "questions and draft": draft("requirements-doc").replace(
        '"questions": []',
        '"questions": [' + bakery.questions(bakery.QUESTION)[15:].split("]}")[0].split('], "doc')[0] + "]",
    ),
    "300 KB of text": "word " * 60_000,
    "a NUL in a text": draft("requirements-doc").replace("Place an order", "Place\\u0000an order"),
    "a lone surrogate": draft("requirements-doc").replace("Place an order", "Place \\ud800 an order"),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_reply_is_stored_sent_back_and_mended(house, text):
    house.says(bakery.script(requirements_doc=[text, draft("requirements-doc")]))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason) == ("completed", None)
    assert await house.findings_of(execution, "requirements")
    calls = [call for call in await house.calls(execution) if call.step_id == "requirements"]
    assert [call.state for call in calls] == ["replied", "replied"]


async def test_a_fenced_reply_is_read(house):
    house.says(bakery.script(requirements_doc=[f"```json\n{draft('requirements-doc')}\n```"]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    assert await house.findings_of(execution, "requirements") == []


async def asked(house, type_):
    """Return once the provider has been asked for that document."""
    async with asyncio.timeout(20):
        while not any(request.schema_name == type_ for request in house.llm.seen):
            await asyncio.sleep(0.01)


async def test_cancel_stops_a_call_in_flight_and_marks_it(house):
    house.says(bakery.script(requirements_doc=[ScriptedReply(text="late", delay_s=60)]))
    execution = await house.start(**ANSWERED)
    execution_id, round_ = house.queue.pop(0)
    segment = HandSegment(house, execution_id, round_)
    running = asyncio.create_task(house.runner.run(segment))
    await asked(house, "requirements-doc")
    await house.service.cancel(execution)
    segment.wake.set()
    await asyncio.wait_for(running, 10)
    assert (await house.row(execution)).status == "cancelled"
    states = {call.step_id: call.state for call in await house.calls(execution)}
    assert states["requirements"] == "outcome_unknown"
    with pytest.raises(Conflict):
        await house.service.cancel(execution)
    with pytest.raises(Conflict):
        await house.service.resume(execution)


async def test_a_segment_that_lost_its_claim_writes_nothing_but_the_paid_reply(house):
    house.says(bakery.script(project_discovery=[ScriptedReply(text=bakery.asking(), delay_s=0.2)]))
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    segment = HandSegment(house, execution_id, round_)
    running = asyncio.create_task(house.runner.run(segment))
    await asked(house, "project-discovery")
    segment.lost = True
    with pytest.raises(OwnershipLost):
        await asyncio.wait_for(running, 10)
    (call,) = await house.calls(execution)
    assert call.state == "replied"
    assert await house.questions(execution) == ()
    assert (await house.row(execution)).status == "running"
    # Another process takes over: the reply is read, not paid again.
    await house.runner.run(HandSegment(house, execution_id, round_))
    assert (await house.row(execution)).status == "waiting_for_answers"
    assert len(house.llm.seen) == 1


async def test_an_open_intent_becomes_outcome_unknown_and_stays_reserved(house):
    house.pricing = Pricing({"scripted": ModelPrice(Decimal(1), Decimal(10))})
    house.says(bakery.script(project_discovery=[ScriptedReply(text=bakery.asking(), delay_s=60)]))
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    running = asyncio.create_task(house.runner.run(HandSegment(house, execution_id, round_)))
    await asked(house, "project-discovery")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    house.says(bakery.script())
    await house.runner.run(HandSegment(house, execution_id, round_))
    first, second = await house.calls(execution)
    assert (first.state, second.state) == ("outcome_unknown", "replied")
    assert (first.attempt, second.attempt) == (1, 1)
    row = await house.row(execution)
    assert row.reserved_usd == first.reserved_usd > 0
    assert row.spent_usd == second.cost_usd


async def test_resume_of_a_running_execution(house):
    execution = await house.start()
    house.adoption = Adoption.BUSY
    with pytest.raises(Conflict) as caught:
        await house.service.resume(execution)
    assert caught.value.code == "already_running"
    house.adoption = Adoption.ENDED
    house.queue.clear()
    await house.service.resume(execution)
    assert [round_ for _, round_ in house.queue] == [2]
    assert (await house.run()).status == "waiting_for_answers"


async def test_a_fault_of_our_own_ends_as_failed_with_its_reason(house):
    def broken(request):
        raise ZeroDivisionError("a bug")

    house.says(broken)
    execution = await house.start()
    row = await house.run()
    assert (row.status, row.reason_code) == ("failed", "internal_error")
    assert "ZeroDivisionError" in row.reason
    house.says(bakery.script())
    await house.service.resume(execution)
    assert (await house.run()).status == "waiting_for_answers"


async def test_draining_begins_no_step_and_hands_the_rest_back(house):
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    await house.runner.run(HandSegment(house, execution_id, round_, draining=True))
    assert house.llm.seen == []
    assert (await house.row(execution)).status == "queued"
    assert house.queue == [(execution_id, 2)]
