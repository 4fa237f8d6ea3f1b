"""Somebody is put out while their request waits for another's lock: then it is refused."""

import asyncio
from decimal import Decimal

import pytest
import sqlalchemy as sa
from api_house import until
from town import Town

from combine.auth.permissions import OPERATOR, ProjectRole
from combine.errors import NotFound
from combine.services.invitations import InvitationService
from combine.services.projects import ProjectService
from combine.storage.people.invitations import Invitations


class Scene:
    """An owner, their project, an execution and an invitation in it."""

    async def prepare(self, database, house):
        self.database, self.town = database, Town(database)
        self.owner = await self.town.person("ada")
        self.project_id = await self.town.project("bakery", members={self.owner: "owner"})
        self.execution = await house.start()
        operator = InvitationService(database, actor=OPERATOR)
        invitation = await operator.create(self.project_id, "bea@example.org", ProjectRole.VIEWER)
        self.invitation_id = invitation.id
        house.actor = self.owner
        self.executions = house.service
        return self

    async def cancel(self):
        await self.executions.cancel(self.execution)

    async def resume(self):
        await self.executions.resume(self.execution)

    async def cap(self):
        await ProjectService(self.database, actor=self.owner).set_budget(self.project_id, Decimal(1))

    async def take_back(self):
        await InvitationService(self.database, actor=self.owner).revoke(self.project_id, self.invitation_id)

    async def somebody_waits(self):
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        async with self.database.read() as session:
            return (await session.connection.execute(sa.text(query))).first() is not None


@pytest.mark.parametrize(
    ("what", "locked"),
    [("cancel", "executions"), ("resume", "executions"), ("cap", "projects"), ("take_back", "projects")],
)
async def test_who_is_put_out_meanwhile_is_refused(database, house, what, locked):
    scene = await Scene().prepare(database, house)
    asked = None

    async def work(session):
        nonlocal asked
        await session.connection.execute(sa.text(f"SELECT 1 FROM {locked} FOR UPDATE"))
        asked = asyncio.create_task(getattr(scene, what)())
        await until(scene.somebody_waits)
        await session.connection.execute(sa.text("DELETE FROM project_members"))

    await database.transact(work)
    assert asked is not None
    with pytest.raises(NotFound):
        await asked
    assert (await house.row(scene.execution)).status == "queued"
    async with database.read() as session:
        assert (await Invitations(session).get(scene.invitation_id)).revoked_at is None
