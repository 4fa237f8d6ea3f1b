"""Roles, scopes, and what follows from them. Pure: the table in ``docs/rights.md`` is this module in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from combine.errors import NotPermitted


class InstanceRole(StrEnum):
    """What somebody is in the whole installation."""

    MEMBER = "member"  # has projects of their own and those they are invited to
    ADMIN = "admin"  # sees and does everything, in every project


class ProjectRole(StrEnum):
    """What somebody is in one project; each may do what those before it may."""

    VIEWER = "viewer"  # reads
    EDITOR = "editor"  # starts executions, answers, accepts, decides, cancels
    OWNER = "owner"  # sets the budget, settles calls of unknown outcome, invites, changes roles


class Scope(StrEnum):
    """What a token may be used for; each holds those before it. A browser session holds all."""

    READ = "read"  # look
    RUN = "run"  # and start, answer, accept, decide, cancel, make projects
    ADMIN = "admin"  # and whatever else the user may: rights, budgets, tokens, the installation


_PROJECT_ORDER = tuple(ProjectRole)
_SCOPE_ORDER = tuple(Scope)


@dataclass(frozen=True, slots=True)
class Actor:
    """On whose behalf something is done."""

    user_id: UUID | None
    """None: whoever runs the program on its database, at the command line."""
    role: InstanceRole
    scope: Scope
    token_id: UUID | None = None
    """The token that was used, if one was."""
    session_id: UUID | None = None
    """The browser session that was used, if one was."""

    @property
    def everywhere(self) -> bool:
        """Whether every project is open to them, whoever its members are."""
        return self.role is InstanceRole.ADMIN

    def need_scope(self, scope: Scope) -> None:
        """Raises NotPermitted unless the token in use holds ``scope``."""
        if _SCOPE_ORDER.index(self.scope) < _SCOPE_ORDER.index(scope):
            raise NotPermitted(
                f"This token has the scope {self.scope}; {scope} is needed.",
                code="scope_missing",
                hint=f"Use a token with the scope {scope}.",
            )

    def need_instance_admin(self) -> None:
        """Raises NotPermitted unless they are admin of the installation, with a token or session that may use it."""
        self.need_scope(Scope.ADMIN)
        if self.role is not InstanceRole.ADMIN:
            raise NotPermitted("Only an admin of the installation may do this.", code="admin_needed")


OPERATOR = Actor(user_id=None, role=InstanceRole.ADMIN, scope=Scope.ADMIN)
"""Whoever can reach the database may do everything in it; the command line works as this."""


def need_project_role(held: ProjectRole, needed: ProjectRole) -> None:
    """Raises NotPermitted unless the role held in the project is enough."""
    if _PROJECT_ORDER.index(held) < _PROJECT_ORDER.index(needed):
        raise NotPermitted(
            f"You are {held} of this project; {needed} is needed.",
            code="role_missing",
            hint="Ask an owner of the project.",
        )
