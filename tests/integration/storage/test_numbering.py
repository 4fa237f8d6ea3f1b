"""What an execution finds in its project when it begins, and which numbers are taken for it from then on."""

import pytest

from combine.documents.questions import AnswerType, Question
from combine.documents.statuses import DecidedBy
from combine.execution.state import highest_ids
from combine.storage.hot.claim import Claim
from combine.storage.hot.numbering import Numbering, used_ids
from combine.storage.hot.segments import Segments
from combine.storage.questions import Questions
from combine.storage.snapshot import Depth, Snapshots

CLAIM = Claim("SELECT 1", {})
CONTENTS = (
    ("requirements-doc", {"functional_requirements": [{"id": "FR-007"}, {"id": "FR-002"}]}),
    ("requirements-doc", {"functional_requirements": [{"id": "FR-003"}], "data": {"deep": [{"id": "NFR-010"}]}}),
    ("architecture-doc", {"components": [{"id": "CMP-009"}], "assumptions": [{"id": "ASM-012"}]}),
    ("requirements-doc", {"assumptions": [{"id": "ASM-004"}], "id": 7, "odd": [{"id": "no-number"}]}),
)
USED = {"requirements-doc": {"FR": 7, "NFR": 10, "ASM": 12}, "architecture-doc": {"CMP": 9, "ASM": 12}}


async def save(stored, type_, content, execution_id=None, **after):
    """By ``execution_id``, or by an execution of its own."""
    new = stored.document(execution_id or await stored.another_execution(), type_, content)
    await stored.save(new, **after)
    return new.id


def taken(state, type_):
    return {prefix: number for prefix, number in highest_ids(state, type_).items() if number}


async def leave_to_us(stored, execution_id, assumption_id):
    question = Question("How many?", "size", AnswerType.NUMBER, "Ten.")
    await stored.write(Questions, "insert_many", execution_id, "discovery", 1, [question])
    settled = (execution_id, 1, "Ten.", DecidedBy.DEFAULT)
    await stored.write(Questions, "answer", *settled, assumption_id=assumption_id)


async def begin(stored, execution_id):
    assert await stored.write(Segments, "begin", CLAIM, execution_id, 1)


async def state(stored, execution_id):
    async with stored.database.read() as session:
        return await Snapshots(session).read(execution_id, Depth.SEGMENT)


@pytest.fixture
async def used(stored):
    """A project in which others have given numbers, and an execution of it."""
    for type_, content in CONTENTS:
        await save(stored, type_, content)
    return stored


@pytest.mark.parametrize("begun", [False, True], ids=["begun by an older program", "begun"])
@pytest.mark.parametrize(("prefix", "highest"), [("FR", 7), ("NFR", 10), ("ASM", 12), ("XX", 0)])
async def test_numbers_count_over_all_versions_and_types(used, prefix, highest, begun):
    if begun:
        await begin(used, used.execution_id)
    assert await used.read(Numbering, "highest", used.execution_id, prefix) == highest


async def test_numbers_that_others_give_later_are_not_taken_for_one_that_has_begun(used):
    other = await used.another_execution()
    await begin(used, used.execution_id)
    await save(used, "requirements-doc", {"functional_requirements": [{"id": "FR-020"}]}, execution_id=other)
    await leave_to_us(used, other, "ASM-020")
    for again in range(2):
        found = await state(used, used.execution_id)
        assert {type_: taken(found, type_) for type_ in USED} == USED, again
        assert await used.read(Numbering, "highest", used.execution_id, "ASM") == 12
        await begin(used, used.execution_id)  # as after a crash
    await begin(used, other)
    assert taken(await state(used, other), "requirements-doc")["FR"] == 20


async def test_numbers_of_its_own_are_taken_also_those_of_versions_that_were_sent_back(used):
    mine = used.execution_id
    await begin(used, mine)
    await save(used, "requirements-doc", {"items": [{"id": "FR-008"}, {"id": "FR-011"}]}, execution_id=mine)
    await save(used, "requirements-doc", {"items": [{"id": "FR-009"}]}, execution_id=mine, status="superseded")
    await leave_to_us(used, mine, "ASM-013")
    assert taken(await state(used, mine), "requirements-doc") == {"FR": 11, "NFR": 10, "ASM": 13}
    assert await used.read(Numbering, "highest", mine, "ASM") == 13


async def test_the_versions_it_follows_are_those_that_counted_when_it_began(stored):
    counted = await save(stored, "requirements-doc", {"n": 1}, status="active")
    await save(stored, "architecture-doc", {"n": 1}, status="draft")
    await begin(stored, stored.execution_id)
    await save(stored, "requirements-doc", {"n": 2}, status="active")
    await save(stored, "architecture-doc", {"n": 2}, status="active")
    previous = (await state(stored, stored.execution_id)).previous
    assert {document.type: document.id for document in previous} == {"requirements-doc": counted}


@pytest.mark.parametrize(
    ("found", "used"),
    [
        ([], {}),
        ([[["a", "FR", 2]]], {"a": {"FR": 2}}),
        ([[["a", "FR", 2]], [["a", "FR", 1], ["b", "FR", 3]]], {"a": {"FR": 2}, "b": {"FR": 3}}),
        ([[["a", "FR", 1]], [["a", "FR", 2], ["a", "ASM", 1]]], {"a": {"FR": 2, "ASM": 1}}),
    ],
)
def test_what_was_found_and_what_came_since_count_together(found, used):
    assert used_ids(*found) == used
