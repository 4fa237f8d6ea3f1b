from dataclasses import dataclass
from uuid import UUID

import pytest
from stored import a_document, an_execution, save_document, store_execution

from combine.storage.core.database import Database
from combine.storage.executions import Executions
from combine.storage.steps import Steps

STEPS = ("discovery", "requirements", "architecture", "review")


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

    def document(self, execution_id=None, type_="requirements-doc", content=None, **changes):
        return a_document(self.project_id, execution_id or self.execution_id, type_, content or {"n": 1}, **changes)

    async def save(self, document, **after):
        """The number of the version."""
        return await self.database.transact(lambda session: save_document(session, document, **after))

    async def another_execution(self):
        new = an_execution(self.project_id, self.brief_id)
        await self.write(Executions, "insert", new)
        await self.write(Steps, "insert_all", new.id, STEPS)
        return new.id


@pytest.fixture
def new_execution():
    return an_execution


@pytest.fixture
async def stored(database):
    first = await database.transact(lambda session: store_execution(session, "Shop"))
    async with database.read() as session:
        row = await Executions(session).get(first)
    made = Stored(database, row.project_id, row.brief_id, first)
    made.execution_id = await made.another_execution()  # one without events
    return made
