import asyncio
from uuid import uuid4

import pytest

from combine.documents.ordering import content_sha256
from combine.errors import NotFound
from combine.storage.core.visibility import EVERYTHING
from combine.storage.documents import Documents
from combine.storage.hot.segments import Segments
from combine.storage.steps import Steps


async def test_a_version_comes_back_as_it_was_stored(stored):
    content = {"title": "Brot & Söhne", "items": [{"id": "FR-001", "n": 1.5, "none": None}], "a": "日本"}
    new = stored.document(content=content, call_ids=(uuid4(),), input_ids=(stored.brief_id,), model="m", attempt=2)
    assert await stored.save(new) == 1
    row = await stored.read(Documents, "get", new.id)
    assert (row.content, row.version, row.attempt, row.model) == (content, 1, 2, "m")
    assert (row.call_ids, row.input_ids) == (new.call_ids, (stored.brief_id,))
    assert row.content_sha256 == content_sha256(row.content) == content_sha256(content)


async def test_twenty_writers_at_once_make_twenty_versions(stored):
    others = [await stored.another_execution() for _ in range(20)]
    numbers = await asyncio.gather(*(stored.save(stored.document(one)) for one in others))
    assert sorted(numbers) == list(range(1, 21))


@pytest.mark.parametrize(("before", "found"), [(2, [1]), (2**31, [2, 1]), (2**63 - 1, [2, 1]), (-(2**63), [])])
async def test_versions_before_any_number(stored, before, found):
    for _ in range(2):
        new = stored.document()
        await stored.save(new)
    rows = await stored.read(Documents, "versions", stored.project_id, new.type, before=before)
    assert [row.version for row in rows] == found


async def test_storing_a_version_again_changes_nothing(stored):
    new = stored.document()
    assert await stored.save(new) == 1
    assert await stored.save(new) is None
    assert len(await stored.read(Documents, "versions", stored.project_id, new.type)) == 1


async def test_documents_are_found_by_what_is_known_of_them(stored):
    other = await stored.another_execution()
    first, second = stored.document(), stored.document(other)
    for new in (first, second):
        await stored.save(new)
    read, project = stored.read, stored.project_id
    assert [row.version for row in await read(Documents, "versions", project, first.type)] == [2, 1]
    assert (await read(Documents, "version", project, first.type, 1)).id == first.id
    assert [row.id for row in await read(Documents, "get_many", [second.id, uuid4(), first.id])] == [
        second.id,
        first.id,
    ]
    assert await read(Documents, "get_many", []) == ()
    assert [row.id for row in await read(Documents, "list", EVERYTHING, execution_id=stored.execution_id)] == [first.id]
    assert [row.id for row in await read(Documents, "list", EVERYTHING, type_="brief", status="active")] == [
        stored.brief_id
    ]
    assert await read(Documents, "active", project, first.type) is None
    with pytest.raises(NotFound):
        await read(Documents, "get", uuid4())
    with pytest.raises(NotFound):
        await read(Documents, "version", project, first.type, 3)


async def test_a_completed_execution_makes_its_last_versions_count(stored):
    async def make(execution_id, type_):
        new = stored.document(execution_id, type_)
        await stored.save(new)
        return new.id

    async def status(document_id):
        return (await stored.read(Documents, "get", document_id)).status

    async def all_done(execution_id):
        for step in await stored.read(Steps, "list", execution_id):
            await stored.write(Steps, "update", execution_id, step.step_id, status="done")

    old = await make(stored.execution_id, "requirements-doc")
    assert not await stored.write(Segments, "complete", stored.execution_id)
    assert await status(old) == "draft"
    await all_done(stored.execution_id)
    assert await stored.write(Segments, "complete", stored.execution_id)
    other = await stored.another_execution()
    rejected = await make(other, "requirements-doc")
    kept = await make(other, "requirements-doc")
    of_another_type = await make(stored.execution_id, "project-discovery")
    assert await status(old) == "active"

    await all_done(other)
    for _ in range(2):  # again after an unknown outcome: the same
        assert await stored.write(Segments, "complete", other)
        assert [await status(each) for each in (old, rejected, kept)] == ["superseded", "superseded", "active"]
    assert await status(of_another_type) == "draft"
    assert (await stored.read(Documents, "active", stored.project_id, "requirements-doc")).id == kept
