"""Documents keep the order of their keys, whatever order a model wrote and whichever program stored them."""

import json

import bakery
import pytest
import sqlalchemy as sa

from combine.auth.permissions import OPERATOR
from combine.documents.schema_walk import in_schema_order
from combine.services.documents import DocumentService
from combine.services.replay import ReplayService

TYPES = [*bakery.TYPES, "brief"]


def upside_down(value):
    if isinstance(value, list):
        return [upside_down(inner) for inner in value]
    return {name: upside_down(value[name]) for name in reversed(value)} if isinstance(value, dict) else value


def replies(change=lambda content: content):
    """A chain that is repaired once and revised once."""
    requirements = bakery.document("requirements-doc")
    requirements["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    reviews = [bakery.rejecting_review(), bakery.document("strategy-review")]
    good = bakery.reply(change(bakery.document("requirements-doc")))
    return bakery.script(
        project_discovery=[bakery.asking(), bakery.reply(change(bakery.document("project-discovery")))],
        requirements_doc=[bakery.reply(change(requirements)), good, good],
        architecture_doc=[bakery.reply(change(bakery.document("architecture-doc")))] * 2,
        strategy_review=[bakery.reply(change(review)) for review in reviews],
    )


async def forget_the_order(house):
    """As if a program had stored them that knew no order."""
    forget = sa.text("UPDATE documents SET ordered_content = NULL")
    await house.database.transact(lambda session: session.connection.execute(forget))


async def exported(house, project="first"):
    service = DocumentService(house.database, house.catalog, actor=OPERATOR)
    return [await service.export(type_, project) for type_ in TYPES]


async def played(house, script, *, project="first", forgetful=False):
    """All prompts of an execution with a pause in it."""
    house.says(script)
    execution = await house.start(project=project)
    await house.run()
    seen = list(house.llm.seen)
    if forgetful:
        await forget_the_order(house)
    await house.service.answer(execution, {"Q-1": "Offer the next free day."})
    row = await house.run()
    assert row.status == "completed"
    assert house.llm.seen[: len(seen)] == seen
    return execution, [(request.prefix, request.task) for request in house.llm.seen]


@pytest.mark.parametrize("type_", bakery.TYPES)
async def test_a_document_is_stored_in_the_order_of_its_schema(house, type_):
    await played(house, replies(upside_down))
    schema = house.catalog.schema(type_).schema
    async with house.database.read() as session:
        query = sa.text("SELECT ordered_content::text AS kept, content FROM documents WHERE type = :type")
        found = (await session.connection.execute(query, {"type": type_})).all()
    assert found
    for row in found:
        assert json.loads(row.kept) == row.content
        assert list(json.loads(row.kept)) == [name for name in schema["properties"] if name in row.content]
        assert json.dumps(json.loads(row.kept)) == json.dumps(in_schema_order(row.content, schema))


async def test_the_order_in_which_a_model_writes_keys_changes_nothing(house):
    _, plain = await played(house, replies())
    _, other = await played(house, replies(upside_down), project="second")
    assert plain == other
    assert [one.json_text for one in await exported(house)] == [
        one.json_text for one in await exported(house, "second")
    ]


async def test_documents_of_a_program_that_kept_no_order_are_read_the_same(house):
    execution, plain = await played(house, replies())
    shown = await exported(house)
    older, other = await played(house, replies(), project="second", forgetful=True)
    assert plain == other
    await forget_the_order(house)
    assert await exported(house) == shown
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=())
    for id_ in (execution, older):
        report = await replays.replay(id_)
        assert (report.identical, report.other_prompts) == (True, ())
