"""From a brief to four documents, with questions, answers and versions."""

import bakery
import pytest

from combine.brief.reading import split_brief
from combine.errors import Conflict, Invalid


async def test_an_execution_asks_waits_and_completes(house):
    execution = await house.start()
    row = await house.run()
    assert (row.status, row.round) == ("waiting_for_answers", 1)
    (question,) = await house.questions(execution)
    assert question.id == "Q-1"
    await house.service.answer(execution, {"Q-1": "1"})
    row = await house.run()
    assert (row.status, row.reason) == ("completed", None)
    assert await house.versions(execution) == [
        ("architecture-doc", 1, "active"),
        ("project-discovery", 1, "active"),
        ("requirements-doc", 1, "active"),
        ("strategy-review", 1, "active"),
    ]
    calls = await house.calls(execution)
    assert [(call.step_id, call.attempt, call.purpose, call.state) for call in calls] == [
        ("discovery", 1, "draft", "replied"),
        ("discovery", 2, "draft", "replied"),
        ("requirements", 1, "draft", "replied"),
        ("architecture", 1, "draft", "replied"),
        ("review", 1, "review", "replied"),
    ]
    assert row.spent_usd == row.reserved_usd == 0


async def test_the_brief_is_in_the_first_request_and_the_answer_in_every_later_one(house):
    execution = await house.start()
    await house.run()
    first = house.llm.seen[0]
    for sentence in split_brief(bakery.BRIEF).sentences:
        assert sentence.text in first.prefix
    await house.service.answer(execution, {bakery.QUESTION["text"]: "Please call."})
    house.says(bakery.script(project_discovery=[bakery.reply(bakery.document("project-discovery"))]))
    await house.run()
    assert house.llm.seen
    assert all("Please call." in request.prefix for request in house.llm.seen)


async def test_answers_given_in_advance_settle_without_a_pause(house):
    execution = await house.start(answers={bakery.QUESTION["text"].upper(): "A waiting list."})
    house.says(bakery.script(requirements_doc=[bakery.reply(_citing_waiting_list())]))
    row = await house.run()
    assert row.status == "completed"
    (question,) = await house.questions(execution)
    assert (question.answer, question.decided_by) == ("A waiting list.", "person")


def _citing_waiting_list():
    document = bakery.document("requirements-doc")
    for requirement in document["functional_requirements"]:
        for source in requirement["sources"]:
            if source["ref"] == "Q-1":
                source["quote"] = "A waiting list."
    return document


async def test_decide_for_me_becomes_an_assumption_of_the_document(house):
    discovery = bakery.document("project-discovery")
    for assumption in discovery["assumptions"]:
        number = int(assumption["id"][-3:]) + 1
        assumption["id"] = f"ASM-{number:03d}"
    text = bakery.reply(discovery).replace('"ref": "ASM-001"', '"ref": "ASM-002"').replace("(ASM-002)", "(ASM-003)")
    requirements = bakery.reply(bakery.document("requirements-doc")).replace("ASM-001", "ASM-002")
    review = bakery.reply(bakery.document("strategy-review"))
    house.says(
        bakery.script(
            project_discovery=[bakery.asking(), text], requirements_doc=[requirements], strategy_review=[review]
        )
    )
    execution = await house.start(ask=False)
    row = await house.run()
    assert (row.status, row.reason) == ("completed", None)
    (question,) = await house.questions(execution)
    assert (question.decided_by, question.assumption_id) == ("default", "ASM-001")
    stored = await house.content(execution, "project-discovery")
    assert stored["assumptions"][0]["id"] == "ASM-001"
    assert "Offer the next free day." in stored["assumptions"][0]["text"]


async def test_a_second_execution_makes_version_two(house):
    house.says(
        bakery.script(
            project_discovery=[bakery.reply(bakery.document("project-discovery"))],
            requirements_doc=[bakery.reply(bakery.unasked_requirements())],
        )
    )
    first = await house.start()
    assert (await house.run()).status == "completed"
    second = await house.start()
    row = await house.run()
    assert (row.status, row.reason) == ("completed", None)
    assert {(v, s) for _, v, s in await house.versions(first)} == {(1, "superseded")}
    assert {(v, s) for _, v, s in await house.versions(second)} == {(2, "active")}
    assert (await house.row(first)).brief_id == (await house.row(second)).brief_id
    assert "<previous" not in house.llm.seen[0].prefix
    assert "<previous" in house.llm.seen[4].prefix


@pytest.mark.parametrize(
    ("given", "code"),
    [({"Q-1": "something else"}, "answer_invalid"), ({"Q-9": "1"}, "answer_unknown"), ({"Q-1": " "}, "answer_invalid")],
)
async def test_answers_that_cannot_be_used_change_nothing(house, given, code):
    execution = await house.start()
    await house.run()
    with pytest.raises(Invalid) as caught:
        await house.service.answer(execution, given)
    assert caught.value.code == code
    assert (await house.row(execution)).status == "waiting_for_answers"
    assert house.queue == []


async def test_answering_twice_is_a_conflict(house):
    execution = await house.start()
    await house.run()
    await house.service.answer(execution, {"Q-1": "1"})
    with pytest.raises(Conflict):
        await house.service.answer(execution, {"Q-1": "2"})


async def test_events_are_numbered_without_a_gap(house):
    execution = await house.start(answers={"Q-1": "1"})
    await house.run()
    events = await house.events(execution)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events if event.kind.startswith("execution_")] == [
        "execution_queued",
        "execution_running",
        "execution_completed",
    ]
