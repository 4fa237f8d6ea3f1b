"""Roles, scopes, and the permissions they give. Pure. ``docs/rights.md`` documents them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from combine.errors import NotPermitted


class InstanceRole(StrEnum):
    """A user's role in the whole installation."""

    MEMBER = "member"  # owns projects and is a member of others
    ADMIN = "admin"  # may do everything, in every project


class ProjectRole(StrEnum):
    """A user's role in one project. Each role includes the permissions of the ones before it."""

    VIEWER = "viewer"  # reads
    EDITOR = "editor"  # starts executions, answers, accepts, decides, cancels
    OWNER = "owner"  # sets the budget, settles calls with unknown outcome, invites, changes roles


class Scope(StrEnum):
    """What a token may be used for. Each scope includes the ones before it; a browser session has all of them."""

    READ = "read"  # read everything the user can see
    RUN = "run"  # also start, answer, accept, decide, cancel, create projects
    ADMIN = "admin"  # also roles, budgets, tokens and the installation, if the user may


_PROJECT_ORDER = tuple(ProjectRole)
_SCOPE_ORDER = tuple(Scope)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who performs an action."""

    user_id: UUID | None
    """None: the operator, who uses the command line directly on the database."""
    role: InstanceRole
    scope: Scope
    token_id: UUID | None = None
    """The token used, if any."""
    session_id: UUID | None = None
    """The browser session used, if any."""

    @property
    def everywhere(self) -> bool:
        """Whether they have access to every project, member or not."""
        return self.role is InstanceRole.ADMIN

    def need_scope(self, scope: Scope) -> None:
        """Raises NotPermitted unless the token in use has ``scope``."""
        if _SCOPE_ORDER.index(self.scope) < _SCOPE_ORDER.index(scope):
            raise NotPermitted(
                f"This token has the scope {self.scope}; {scope} is required.",
                code="scope_missing",
                hint=f"Use a token with the scope {scope}.",
            )

    def need_instance_admin(self) -> None:
        """Raises NotPermitted unless they are an admin of the installation, with a token or session of scope admin."""
        self.need_scope(Scope.ADMIN)
        if self.role is not InstanceRole.ADMIN:
            raise NotPermitted("This requires an admin of the installation.", code="admin_needed")


OPERATOR = Actor(user_id=None, role=InstanceRole.ADMIN, scope=Scope.ADMIN)
"""The command line on the database: whoever can reach the database may do everything."""


def need_project_role(held: ProjectRole, needed: ProjectRole) -> None:
    """Raises NotPermitted unless the role held in the project is sufficient."""
    if _PROJECT_ORDER.index(held) < _PROJECT_ORDER.index(needed):
        raise NotPermitted(
            f"You are {held} of this project; {needed} is required.",
            code="role_missing",
            hint="Ask an owner of the project.",
        )
