"""Projects: their contents and their caps."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

from combine.auth.permissions import Actor, ProjectRole, Scope
from combine.errors import Conflict
from combine.services.access import Access
from combine.services.amounts import check_budget
from combine.services.audit import record_audit
from combine.services.names import project_name
from combine.services.views import ProjectView, view
from combine.storage.core.database import Database, ReadSession, WriteSession
from combine.storage.people.members import Members
from combine.storage.projects import Projects, ProjectSums


class ProjectService:
    """Creates, lists and caps projects."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._access = Access(actor)

    async def list(self, *, after: str | None = None, limit: int = 1000) -> tuple[ProjectView, ...]:
        """Projects by name. ``after``: the name of the last one of the previous page."""
        async with self._database.read() as session:
            sums = await Projects(session).sums(self._access.visibility, after=after, limit=limit)
            return await self._views(session, sums)

    async def get(self, project: str | UUID) -> ProjectView:
        """One project, by id or name. Raises NotFound."""
        async with self._database.read() as session:
            return await self._view(session, project)

    async def create(self, name: str, budget_usd: Decimal | None = None) -> ProjectView:
        """Create a project; its creator becomes the owner.

        Raises Invalid for an invalid name, Conflict for one that is taken, also by a project of others.
        """
        words = project_name(name)
        check_budget(budget_usd)
        project_id = uuid4()

        async def work(session: WriteSession) -> None:
            await make_project(session, self._actor, project_id, words)
            await Projects(session).set_budget(project_id, budget_usd)

        await self._database.transact(work)
        return await self.get(project_id)

    async def set_budget(self, project: str | UUID, budget_usd: Decimal | None) -> ProjectView:
        """Cap a project from the next call on; None removes the cap. Raises NotFound, NotPermitted, Invalid.

        Executions that stopped at the old cap stay stopped until they are resumed.
        """
        check_budget(budget_usd)

        async def work(session: WriteSession) -> UUID:
            row = await self._access.project(session, project)
            await Members(session).lock_project(row.id)
            await self._access.need(session, row.id, ProjectRole.OWNER, Scope.ADMIN)
            await Projects(session).set_budget(row.id, budget_usd)
            said = {"budget_usd": None if budget_usd is None else str(budget_usd)}
            await record_audit(session, self._actor, "project.budget_set", project_id=row.id, data=said)
            return row.id

        return await self.get(await self._database.transact(work))

    async def _view(self, session: ReadSession, project: str | UUID) -> ProjectView:
        row = await self._access.project(session, project)
        sums = await Projects(session).sums(self._access.visibility, project_id=row.id)
        return (await self._views(session, sums))[0]

    async def _views(self, session: ReadSession, sums: tuple[ProjectSums, ...]) -> tuple[ProjectView, ...]:
        roles = await self._access.roles(session)
        without = ProjectRole.OWNER if self._actor.everywhere else ProjectRole.VIEWER
        return tuple(view(ProjectView, one, role=roles.get(one.id, without)) for one in sums)


async def make_project(session: WriteSession, actor: Actor, project_id: UUID, name: str) -> None:
    """Create a project owned by the actor. Raises NotPermitted, and Conflict for a name that is taken."""
    actor.need_scope(Scope.RUN)
    if not await Projects(session).insert(project_id, name):
        raise Conflict(
            f"The name {name!r} is taken.",
            code="project_name_taken",
            hint="Choose another name, or ask the owner of that project to invite you.",
        )
    if actor.user_id is not None:
        await Members(session).set_role(project_id, actor.user_id, ProjectRole.OWNER)
    await record_audit(session, actor, "project.created", project_id=project_id, data={"name": name})
