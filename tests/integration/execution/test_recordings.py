"""Recordings and pages of executions at work: all of each is of one moment. And no secret gets into a file."""

import json
from contextlib import contextmanager

import bakery
import psycopg
import pytest
from wire import watched

from combine.auth.permissions import OPERATOR
from combine.brief.reading import split_brief
from combine.errors import Conflict
from combine.services.documents import DocumentService
from combine.services.replay import ReplayService

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
GOES_ON = """
UPDATE executions SET status = 'running', seq = seq + 1;
INSERT INTO events (execution_id, seq, kind) SELECT id, seq, 'step_started' FROM executions;
INSERT INTO llm_calls (id, execution_id, step_id, revision, attempt, purpose, provider, model, state, prompt_sha256)
  SELECT gen_random_uuid(), execution_id, step_id, revision, attempt, purpose, provider, model, 'failed', prompt_sha256
  FROM llm_calls LIMIT 1;
INSERT INTO documents (id, project_id, type, version, status, content, content_sha256, origin, execution_id)
  SELECT gen_random_uuid(), project_id, type, version + 1, 'draft', content, content_sha256, origin, execution_id
  FROM documents WHERE type = 'strategy-review' ORDER BY version DESC LIMIT 1;
UPDATE documents SET status = CASE status WHEN 'active' THEN 'draft' ELSE 'active' END WHERE type <> 'brief';
UPDATE questions SET answer = answer || '!';
INSERT INTO findings (execution_id, step_id, revision, attempt, kind, severity, code, document, path, message)
  SELECT execution_id, step_id, revision, attempt, 'mechanical', 'major', 'invented', type, '$', 'Something.'
  FROM documents WHERE step_id IS NOT NULL;
"""
"""What an execution does, and people do, all at once."""


class Meanwhile:
    """Lets the executions of a database go on between two statements of a reading."""

    def __init__(self, database_url):
        self.url = database_url

    @contextmanager
    def after(self, statement):
        """After the so-many-th; gives a list of those that were sent."""
        sent = []

        def sees(one):
            if one.is_statement:
                sent.append(one.text)
            if one.is_statement and len(sent) == statement:
                with psycopg.connect(self.url) as other:
                    other.execute(GOES_ON)

        with watched(sees):
            yield sent

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
def meanwhile(database_url):
    return Meanwhile(database_url)


async def of_one_moment(meanwhile, read, *, points):
    """What is read is that of before or of after, at each of more than ``points`` places where it all may change."""
    seen = 0
    async for before, during, after in meanwhile.at_every_point(read):
        assert before != after
        assert during in (before, after)
        seen += 1
    assert seen > points


async def test_a_recording_is_of_one_moment(house, meanwhile):
    execution = await house.start(**ANSWERED)
    await house.run()
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=())
    await of_one_moment(meanwhile, lambda: replays.record(execution), points=2)


async def test_a_page_is_of_one_moment(house, meanwhile):
    execution = await house.start(**ANSWERED)
    await house.run()
    [wanted] = [str(one.id) for one in await house.documents(execution) if one.type == "requirements-doc"]
    documents = DocumentService(house.database, house.catalog, actor=OPERATOR)
    await of_one_moment(meanwhile, lambda: documents.export(wanted), points=5)


SECRETS = {
    "plain": "canary-0123456789",
    "a quote": 'canary"0123456789',
    "a backslash": "canary\\0123456789",
    "both at the end": 'canary-0123456789\\"',
    "a line": "canary\n0123456789",
    "a slash": "canary/0123456789",
    "beyond ASCII": "canary-é-日本-🥐",
    "all of it": 'é"\\/\n🥐-canary',
}


async def in_the_brief(house, secret):
    return await house.start(brief=split_brief(f"{bakery.BRIEF}\nUse {secret} for it.\n"))


async def in_an_answer(house, secret):
    return await house.start(answers={"Q-1": f"Use {secret}."})


def in_a_reply(**how):
    """A reply is JSON, and the recording holds its text: what JSON escapes is escaped twice."""

    async def way(house, secret):
        said = json.dumps({"questions": [], "document": {"title": f"Use {secret}."}}, **how)
        good = bakery.reply(bakery.document("requirements-doc"))
        house.says(bakery.script(requirements_doc=[said, good]))
        execution = await house.start(**ANSWERED)
        await house.run()
        return execution

    return way


PLACES = {
    "the brief": in_the_brief,
    "an answer": in_an_answer,
    "a reply": in_a_reply(ensure_ascii=False),
    "a reply in ASCII": in_a_reply(ensure_ascii=True),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS)
async def test_a_secret_gets_into_no_file(house, place, secret):
    execution = await PLACES[place](house, SECRETS[secret])
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=["never-said", SECRETS[secret]])
    for compress in (False, True):
        with pytest.raises(Conflict) as raised:
            await replays.file(execution, compress=compress)
        assert raised.value.code == "recording_has_secret"


async def test_what_only_looks_like_a_secret_is_written(house):
    execution = await in_the_brief(house, 'canary-0123456789 "\\" é')
    near = ["canary-01234567890", "canary 0123456789", 'canary-0123456789"', "Canary-0123456789", "é\\é", ""]
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=near)
    assert b"canary-0123456789" in (await replays.file(execution, compress=False)).data
