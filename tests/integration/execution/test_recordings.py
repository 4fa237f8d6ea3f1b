"""Recordings and pages of executions at work: all of each is of one moment."""

from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa

from combine.auth.permissions import OPERATOR
from combine.services.documents import DocumentService
from combine.services.replay import ReplayService

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
GOES_ON = (
    "UPDATE executions SET status = 'running', seq = seq + 1",
    "INSERT INTO events (execution_id, seq, kind) SELECT id, seq, 'step_started' FROM executions",
    "INSERT INTO llm_calls (id, execution_id, step_id, revision, attempt, purpose, provider, model, state, prompt_sha256)"
    " SELECT gen_random_uuid(), execution_id, step_id, revision, attempt, purpose, provider, model, 'sent', prompt_sha256"
    " FROM llm_calls LIMIT 1",
    "INSERT INTO documents (id, project_id, type, version, status, content, content_sha256, origin, execution_id)"
    " SELECT gen_random_uuid(), project_id, type, version + 1, 'draft', content, content_sha256, origin, execution_id"
    " FROM documents WHERE type = 'strategy-review' ORDER BY version DESC LIMIT 1",
    "UPDATE documents SET status = CASE status WHEN 'active' THEN 'draft' ELSE 'active' END WHERE type <> 'brief'",
    "UPDATE questions SET answer = answer || '!'",
    "INSERT INTO findings (execution_id, step_id, revision, attempt, kind, severity, code, document, path, message)"
    " SELECT execution_id, step_id, revision, attempt, 'mechanical', 'major', 'invented', type, '$', 'Something.'"
    " FROM documents WHERE step_id IS NOT NULL",
)
"""What an execution does, and people do, all at once."""


class Meanwhile:
    """Lets the executions of a database go on between two statements of a reading."""

    def __init__(self, database, database_url):
        self.engine, self.url = database.engine.sync_engine, database_url

    @contextmanager
    def after(self, statement):
        """After the so-many-th; gives a list of those that were sent."""
        sent = []

        def sees(_connection, _cursor, text, *_):
            sent.append(text)
            if len(sent) == statement:
                with psycopg.connect(self.url) as other:
                    for change in GOES_ON:
                        other.execute(change)

        sa.event.listen(self.engine, "after_cursor_execute", sees)
        yield sent
        sa.event.remove(self.engine, "after_cursor_execute", sees)

    async def at_every_point(self, read):
        """What ``read`` gave before, during and after such a change, for each of its statements."""
        point, sent = 1, ["the first"]
        while len(sent) >= point:
            before = await read()
            with self.after(point) as sent:
                during = await read()
            if len(sent) >= point:
                yield before, during, await read()
            point += 1


@pytest.fixture
def meanwhile(database, database_url):
    return Meanwhile(database, database_url)


async def test_a_recording_is_of_one_moment(house, meanwhile):
    execution = await house.start(**ANSWERED)
    await house.run()
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=())
    points = 0
    async for before, during, after in meanwhile.at_every_point(lambda: replays.record(execution)):
        assert before != after
        assert during in (before, after)
        points += 1
    assert points > 10


async def test_a_page_is_of_one_moment(house, meanwhile):
    execution = await house.start(**ANSWERED)
    await house.run()
    [wanted] = [str(one.id) for one in await house.documents(execution) if one.type == "requirements-doc"]
    documents = DocumentService(house.database, house.catalog, actor=OPERATOR)
    points = 0
    async for before, during, after in meanwhile.at_every_point(lambda: documents.export(wanted)):
        assert before != after
        assert during in (before, after)
        points += 1
    assert points > 5
