"""The services of one actor, as the HTTP API and the pages use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from combine.auth.permissions import Actor
from combine.services.audit import AuditService
from combine.services.costs import CostService
from combine.services.definitions import WorkflowService
from combine.services.documents import DocumentService
from combine.services.estimates import EstimateService
from combine.services.executions import ExecutionService
from combine.services.inspection import InspectionService
from combine.services.invitations import InvitationService
from combine.services.members import MemberService
from combine.services.projects import ProjectService
from combine.services.replay import ReplayService
from combine.services.sessions import SessionService
from combine.services.settling import SettlingService
from combine.services.tokens import TokenService
from combine.services.users import UserService


@dataclass(frozen=True, slots=True)
class Services:
    """Cheap to create; created for each request."""

    actor: Actor
    audit: AuditService
    costs: CostService
    documents: DocumentService
    estimates: EstimateService
    executions: ExecutionService
    inspection: InspectionService
    invitations: InvitationService
    members: MemberService
    projects: ProjectService
    replays: ReplayService
    sessions: SessionService
    settling: SettlingService
    tokens: TokenService
    users: UserService
    workflows: WorkflowService


ServicesFor = Callable[[Actor], Services]
