"""What an execution finds in its project when it begins, and which numbers are taken for it from then on."""

import pytest

from combine.documents.questions import AnswerType, Question
from combine.documents.statuses import DecidedBy
from combine.storage.documents import Documents
from combine.storage.hot.claim import Claim
from combine.storage.hot.numbering import Numbering, used_ids
from combine.storage.hot.segment_state import read_segment_state
from combine.storage.hot.segments import Segments
from combine.storage.questions import Questions

CLAIM = Claim("SELECT 1", {})
CONTENTS = (
    ("requirements-doc", {"functional_requirements": [{"id": "FR-007"}, {"id": "FR-002"}]}),
    ("requirements-doc", {"functional_requirements": [{"id": "FR-003"}], "data": {"deep": [{"id": "NFR-010"}]}}),
    ("architecture-doc", {"components": [{"id": "CMP-009"}], "assumptions": [{"id": "ASM-012"}]}),
    ("requirements-doc", {"assumptions": [{"id": "ASM-004"}], "id": 7, "odd": [{"id": "no-number"}]}),
)
USED = {"requirements-doc": {"FR": 7, "NFR": 10, "ASM": 4}, "architecture-doc": {"CMP": 9, "ASM": 12}}


async def save(stored, type_, content, **changes):
    new = stored.document(type=type_, content=content, **changes)
    await stored.write(Documents, "insert_version", new)
    return new.id


async def leave_to_us(stored, execution_id, assumption_id):
    question = Question("How many?", "size", AnswerType.NUMBER, "Ten.")
    await stored.write(Questions, "insert_many", execution_id, "discovery", 1, [question])
    settled = (execution_id, 1, "Ten.", DecidedBy.DEFAULT)
    await stored.write(Questions, "answer", *settled, assumption_id=assumption_id)


async def begin(stored, execution_id):
    assert await stored.write(Segments, "begin", CLAIM, execution_id, 1)


async def state(stored, execution_id):
    async with stored.database.read() as session:
        return await read_segment_state(session, execution_id)


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
        assert (await state(used, used.execution_id)).used_ids == USED, again
        assert await used.read(Numbering, "highest", used.execution_id, "ASM") == 12
        await begin(used, used.execution_id)  # as after a crash
    await begin(used, other)
    assert (await state(used, other)).used_ids["requirements-doc"]["FR"] == 20


async def test_numbers_of_its_own_are_taken_also_those_of_versions_that_were_sent_back(used):
    mine = used.execution_id
    await begin(used, mine)
    await save(used, "requirements-doc", {"items": [{"id": "FR-008"}, {"id": "FR-011"}]}, execution_id=mine)
    await save(used, "requirements-doc", {"items": [{"id": "FR-009"}]}, execution_id=mine, status="superseded")
    await leave_to_us(used, mine, "ASM-013")
    assert (await state(used, mine)).used_ids == {
        **USED,
        "requirements-doc": {"FR": 11, "NFR": 10, "ASM": 4},
        "": {"ASM": 13},
    }
    assert await used.read(Numbering, "highest", mine, "ASM") == 13


async def test_the_versions_it_follows_are_those_that_counted_when_it_began(stored):
    counted = await save(stored, "requirements-doc", {"n": 1}, status="active")
    await save(stored, "architecture-doc", {"n": 1}, status="draft")
    await begin(stored, stored.execution_id)
    await save(stored, "requirements-doc", {"n": 2}, status="active")
    await save(stored, "architecture-doc", {"n": 2}, status="active")
    previous = (await state(stored, stored.execution_id)).previous
    assert {type_: document.id for type_, document in previous.items()} == {"requirements-doc": counted}


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
