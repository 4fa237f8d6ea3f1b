from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from combine.storage.core.database import Database
from combine.storage.documents import Documents, NewDocument
from combine.storage.executions import Executions, NewExecution
from combine.storage.projects import Projects
from combine.storage.steps import Steps

STEPS = ("discovery", "requirements", "review")


@dataclass
class Stored:
    """A project with a brief and one execution, and short cuts to read and write around them."""

    database: Database
    project_id: UUID
    brief_id: UUID
    execution_id: UUID

    async def write(self, repository, method, *args, **kwargs):
        return await self.database.transact(lambda session: getattr(repository(session), method)(*args, **kwargs))

    async def read(self, repository, method, *args, **kwargs):
        async with self.database.read() as session:
            return await getattr(repository(session), method)(*args, **kwargs)

    def document(self, **changes):
        given = {"type": "requirements-doc", "content": {"n": 1}, "status": "draft", "origin": "model"}
        return NewDocument(id=uuid4(), project_id=self.project_id, **(given | changes))

    async def another_execution(self):
        new = _execution(self.project_id, self.brief_id)
        await self.write(Executions, "insert", new)
        await self.write(Steps, "insert_all", new.id, STEPS)
        return new.id


def _execution(project_id, brief_id, id_=None):
    return NewExecution(
        id=id_ or uuid4(),
        project_id=project_id,
        workflow_id="strategy-document",
        workflow_version="1",
        definition={"steps": []},
        brief_id=brief_id,
        model="offline",
    )


@pytest.fixture
def new_execution():
    return _execution


@pytest.fixture
async def stored(database):
    project_id = uuid4()

    async def work(session):
        assert await Projects(session).insert(project_id, "Shop")
        brief = NewDocument(uuid4(), project_id, "brief", {"text": "Sell bread."}, "active", "person")
        await Documents(session).insert_version(brief)
        return brief.id

    brief_id = await database.transact(work)
    made = Stored(database, project_id, brief_id, uuid4())
    await made.write(Executions, "insert", _execution(project_id, brief_id, made.execution_id))
    await made.write(Steps, "insert_all", made.execution_id, STEPS)
    return made
