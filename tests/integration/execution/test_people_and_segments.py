"""What people do while, or after, a segment works; and what a step may build on in its revisions."""

import asyncio
import json
import re
from decimal import Decimal

import bakery
import pytest
from house import HandSegment

from combine.documents.statuses import DecisionAction
from combine.errors import Conflict, Invalid
from combine.llm.protocol import StopReason
from combine.llm.scripted import ScriptedReply

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
FREELY_DECIDED = {"ask": False}
QUESTION_2 = bakery.QUESTION | {"text": "Who may change the opening hours?", "choices": ["The owner.", "Anybody."]}


def draft(type_, **changes):
    return bakery.reply(bakery.document(type_) | changes)


def invented_quote(words="words that nobody has ever written"):
    document = bakery.document("requirements-doc")
    document["functional_requirements"][0]["sources"][0]["quote"] = words
    return bakery.reply(document)


async def until_asked(house, type_):
    async with asyncio.timeout(20):
        while not any(request.schema_name == type_ for request in house.llm.seen):
            await asyncio.sleep(0.01)


async def test_each_round_of_questions_left_to_us_takes_fresh_assumption_numbers(house):
    second = QUESTION_2 | {"default": "The owner."}
    house.says(bakery.script(project_discovery=[bakery.asking(), bakery.questions(second), draft("project-discovery")]))
    execution = await house.start(**FREELY_DECIDED)
    await house.run()
    questions = await house.questions(execution)
    assert [question.assumption_id for question in questions] == ["ASM-001", "ASM-002"]
    free = [json.loads(re.search("<ids>(.*?)</ids>", request.task)[1])["ASM"] for request in house.llm.seen[:3]]
    assert free == [1, 2, 3]


async def test_accepting_anyway_a_revision_saves_its_last_output_not_the_version_before(house):
    house.says(
        bakery.script(
            requirements_doc=[draft("requirements-doc"), invented_quote()],
            strategy_review=[bakery.reply(bakery.rejecting_review()), draft("strategy-review")],
        )
    )
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason_code) == ("waiting_for_decision", "remediations_used_up")
    await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    assert (await house.run()).status == "completed"
    stored = await house.content(execution, "requirements-doc")
    assert "words that nobody has ever written" in str(stored)
    assert ("requirements-doc", 2, "active") in await house.versions(execution)


async def test_a_revision_that_is_no_document_cannot_be_accepted_by_way_of_the_version_before(house):
    house.says(
        bakery.script(
            requirements_doc=[draft("requirements-doc"), "no JSON"],
            strategy_review=[bakery.reply(bakery.rejecting_review())],
        )
    )
    execution = await house.start(**ANSWERED)
    assert (await house.run()).reason_code == "no_valid_document"
    with pytest.raises(Conflict) as caught:
        await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    assert caught.value.code == "not_acceptable"


async def test_trying_again_with_a_review_that_could_not_be_read_sends_only_the_review_back(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review()), "no JSON"]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "waiting_for_decision"
    house.says(bakery.script())
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Return JSON.")
    assert (await house.run()).status == "completed"
    assert [request.schema_name for request in house.llm.seen] == ["strategy-review"]


async def test_a_second_review_need_not_repeat_what_has_been_mended(house):
    again = bakery.document("strategy-review")
    again["findings"] = again["findings"][1:]
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review()), bakery.reply(again)]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    codes = [row.code for row in await house.findings_of(execution, "review") if row.revision == 1]
    assert "id_lost" not in codes


async def test_a_person_s_word_may_ask_for_an_item_to_go(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review())]))
    execution = await house.start(**ANSWERED)
    await house.run()
    shorter = bakery.document("requirements-doc")
    gone = shorter["non_functional_requirements"].pop()
    house.says(bakery.script(requirements_doc=[bakery.reply(shorter)]))
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Leave the last one out.")
    await house.run()
    lost = [row for row in await house.findings_of(execution, "requirements") if row.code == "id_lost"]
    assert gone["id"] not in {row.item for row in lost}


async def test_a_reply_that_was_cut_is_not_the_draft_of_the_next_revision(house):
    cut = ScriptedReply(text='{"questions": [], "docu', stop_reason=StopReason.MAX_TOKENS)
    house.says(bakery.script(requirements_doc=[cut]))
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "waiting_for_decision"
    house.says(bakery.script())
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Be brief.")
    assert (await house.run()).status == "completed"
    assert "<draft>" not in house.llm.seen[0].task


async def test_a_fault_of_our_own_does_not_undo_a_cancel(house):
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)

    async def cancel_then_break(request, on_progress=None):
        await house.service.cancel(execution)
        raise ZeroDivisionError("a bug")

    house.llm.complete = cancel_then_break
    await house.runner.run(HandSegment(house, execution_id, round_))
    assert (await house.row(execution)).status == "cancelled"


async def test_cancel_closes_the_calls_of_a_process_that_is_gone(house):
    house.says(bakery.script(project_discovery=[ScriptedReply(text=bakery.asking(), delay_s=60)]))
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    running = asyncio.create_task(house.runner.run(HandSegment(house, execution_id, round_)))
    await until_asked(house, "project-discovery")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await house.service.cancel(execution)
    assert [call.state for call in await house.calls(execution)] == ["outcome_unknown"]


async def test_what_has_ended_takes_no_more_answers(house):
    execution = await house.start()
    await house.run()
    await house.service.cancel(execution)
    with pytest.raises(Conflict) as caught:
        await house.service.answer(execution, {"Q-1": "1"})
    assert caught.value.code == "already_ended"
    assert [question.answer for question in await house.questions(execution)] == [None]


@pytest.mark.parametrize(
    ("model", "budget", "code"),
    [
        ("scripted", "-1", "budget_invalid"),
        ("scripted", "0.0000001", "budget_invalid"),
        ("scripted", "10000000", "budget_invalid"),
        ("scripted", "NaN", "budget_invalid"),
        ("openai:a-model-nobody-knows", "1", "price_unknown"),
    ],
)
async def test_a_budget_given_later_is_checked_like_one_given_at_the_start(house, model, budget, code):
    execution = await house.start(model=model)
    house.queue.clear()
    with pytest.raises(Invalid) as caught:
        await house.service.resume(execution, Decimal(budget))
    assert caught.value.code == code


async def test_a_second_review_does_not_see_the_first(house):
    house.says(
        bakery.script(
            strategy_review=[bakery.reply(bakery.rejecting_review()), bakery.reply(bakery.document("strategy-review"))]
        )
    )
    execution = await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    first, second = (request for request in house.llm.seen if request.schema_name == "strategy-review")
    assert "<draft>" not in first.task + second.task
    assert "OBJ-002 says never" not in second.prefix + second.task
    assert await house.findings_of(execution, "review") != []


async def test_what_is_still_open_is_said_after_each_answer(house):
    second = QUESTION_2 | {"default": "The owner."}
    asked = bakery.questions(bakery.QUESTION, second, second | {"text": "Who may close it?"})
    house.says(bakery.script(project_discovery=[asked, draft("project-discovery")]))
    execution = await house.start()
    assert (await house.run()).reason == "3 of 3 questions wait for an answer."
    for answers, said in (
        ({"Q-2": "The owner."}, "2 of 3 questions wait for an answer."),
        ({"Q-3": "Anybody."}, "1 of 3 questions waits for an answer."),
    ):
        await house.service.answer(execution, answers)
        assert (await house.row(execution)).reason == said
        assert (await house.steps(execution))["discovery"].reason == said
    await house.service.answer(execution, {"Q-1": "Please call."})
    assert ((await house.row(execution)).status, (await house.row(execution)).reason) == ("queued", None)
