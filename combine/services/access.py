"""Permission checks. Every service calls them with the session of its own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from combine.auth.permissions import Actor, ProjectRole, Scope, need_project_role
from combine.errors import NotFound
from combine.records import Execution
from combine.services.names import regular
from combine.storage.core.database import ReadSession
from combine.storage.core.visibility import EVERYTHING, Visibility
from combine.storage.executions import Executions
from combine.storage.people.members import Members
from combine.storage.projects import ProjectRow, Projects


@dataclass(frozen=True, slots=True)
class Access:
    """The permissions of one actor."""

    actor: Actor

    @property
    def visibility(self) -> Visibility:
        """The projects the actor may see; passed to the queries."""
        if self.actor.everywhere:
            return EVERYTHING
        assert self.actor.user_id is not None  # only the operator has no user id, and sees everything
        return Visibility(self.actor.user_id)

    async def role(self, session: ReadSession, project_id: UUID) -> ProjectRole:
        """The actor's role in a project. Raises NotFound if it does not exist or they may not see it."""
        await Projects(session).seen(project_id, self.visibility)
        if self.actor.everywhere:
            return ProjectRole.OWNER
        assert self.actor.user_id is not None  # as above
        held = await Members(session).role(project_id, self.actor.user_id)
        if held is None:  # removed since the previous line
            raise NotFound(f"There is no project {project_id}.", code="project_not_found")
        return ProjectRole(held)

    async def roles(self, session: ReadSession) -> dict[UUID, ProjectRole]:
        """The actor's role in each of their projects; empty for those with access to every project."""
        if self.actor.everywhere:
            return {}
        assert self.actor.user_id is not None  # as above
        held = await Members(session).roles(self.actor.user_id)
        return {project_id: ProjectRole(role) for project_id, role in held.items()}

    async def need(
        self, session: ReadSession, project_id: UUID, role: ProjectRole, scope: Scope = Scope.RUN
    ) -> ProjectRole:
        """The actor's role in the project.

        Raises NotFound if they may not see it, NotPermitted if role or scope is insufficient.
        """
        held = await self.role(session, project_id)
        need_project_role(held, role)
        self.actor.need_scope(scope)
        return held

    async def execution(
        self, session: ReadSession, execution: str, role: ProjectRole, scope: Scope = Scope.RUN
    ) -> Execution:
        """The execution with this id prefix, if the actor may change it. Raises like ``need``, or Conflict."""
        row = await Executions(session).find_by_prefix(execution, self.visibility)
        await self.need(session, row.project_id, role, scope)
        return row

    async def project(self, session: ReadSession, name_or_id: str | UUID) -> ProjectRow:
        """A project the actor may see, by id or name. Raises NotFound."""
        projects = Projects(session)
        if isinstance(name_or_id, UUID):
            return await projects.seen(name_or_id, self.visibility)
        return await projects.by_name(regular(name_or_id), self.visibility)
