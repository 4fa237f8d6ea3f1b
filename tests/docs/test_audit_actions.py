"""docs/reference/audit.md names every action with its data, as services write them."""

import ast
import re
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from house import House
from ledger import unknown_call
from own_issuer import new_key, own_issuer
from town import IDLE, Door, Town, config_of

from combine.auth.permissions import OPERATOR, InstanceRole, ProjectRole, Scope
from combine.documents.statuses import DecisionAction
from combine.services.audit import AuditService
from combine.services.invitations import InvitationService
from combine.services.members import MemberService
from combine.services.projects import ProjectService
from combine.services.sessions import SessionService
from combine.services.settling import SettlingService
from combine.services.tokens import TokenService
from combine.services.users import UserService
from combine.workflows.catalog import load_catalog

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "audit.md"
WRITERS = {"record_audit", "_record", "_close"}


def documented():
    rows = re.findall(r"^\| `([\w.]+)` \|[^|]*\|([^|]*)\| ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {action: frozenset(re.findall(r"`(\w+)`", data)) for action, data in rows}


def actions_in(path):
    """Every action that stands as a word in a call that writes one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in WRITERS:
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            yield from (text for text in texts if re.fullmatch(r"[a-z_]+\.[a-z_]+", str(text)))


def test_the_page_names_every_action_and_no_other():
    written = {action for path in (ROOT / "combine").rglob("*.py") for action in actions_in(path)}
    assert written == documented().keys()


@pytest.fixture
def town(database):
    return Town(database)


async def test_the_page_names_the_data_of_every_action(database, town):
    for scenario in (sign_in, tokens, rights, invitations, work):
        await scenario(database, town)
    rows = await AuditService(database, actor=OPERATOR).list(limit=1000)
    assert {(row.action, frozenset(row.data)) for row in rows} == set(documented().items())
    assert not [row for row in rows if row.object is None and not row.action.startswith("project.")]


async def sign_in(database, town):
    key = new_key()
    with own_issuer(key) as own, own_issuer(key) as other:
        configs = (config_of(own), config_of(other, "other"))
        door = Door(database, configs, bootstrap_admin="ada@example.org")
        ada = await door.through(own, "ada", "ada@example.org")
        more = {"provider": "other", "session": ada.session_secret, "link_user_id": ada.user.id}
        ada = await door.through(other, "ada", "ada@example.org", **more)
        actor = await door.actor(ada)
        users = UserService(database, actor=actor)
        await users.unlink((await users.me()).identities[0].id)
        await door.sign_in.sign_out(ada.session_secret, "http://localhost/login")
        await SessionService(database, actor=actor, session_idle=IDLE).end_all()


async def tokens(database, town):
    service = TokenService(database, actor=await town.person("tom"))
    await service.revoke((await service.create("ci", Scope.READ)).token.id)


async def rights(database, town):
    eve = (await town.person("eve")).user_id
    users = UserService(database, actor=OPERATOR)
    await users.set_role(eve, InstanceRole.ADMIN)
    await users.disable(eve)
    await users.enable(eve)


async def invitations(database, town):
    owner, guest = await town.person("owner"), await town.person("guest")
    projects = ProjectService(database, actor=owner)
    project_id = (await projects.create("Shop")).id
    await projects.set_budget(project_id, Decimal(5))
    inviting, invited = InvitationService(database, actor=owner), InvitationService(database, actor=guest)
    for end in ("revoke", "decline", "accept"):
        made = await inviting.create(project_id, "guest@example.org", ProjectRole.VIEWER)
        if end == "revoke":
            await inviting.revoke(project_id, made.id)
        else:
            await getattr(invited, end)(made.id)
    members = MemberService(database, actor=owner)
    await members.set_role(project_id, guest.user_id, ProjectRole.EDITOR)
    await members.remove(project_id, guest.user_id)


async def work(database, town):
    house = House(database, load_catalog(None))
    execution = await house.start(project="Bakery", model="openai:nobody-knows", allow_unpriced=True)
    for status, act in (
        ("waiting_for_acceptance", house.service.accept),
        ("waiting_for_acceptance", lambda id_: house.service.reject(id_, "Say who bakes.")),
        ("waiting_for_decision", lambda id_: house.service.decide(id_, DecisionAction.TRY_AGAIN, "Say who bakes.")),
        ("failed", lambda id_: house.service.resume(id_, Decimal(5))),
        ("queued", house.service.cancel),
    ):
        await town.run("UPDATE executions SET status = :status WHERE id = :id", status=status, id=UUID(execution))
        if status.startswith("waiting"):
            step = "UPDATE steps SET status = :status WHERE execution_id = :id AND position = 0"
            await town.run(step, status=status, id=UUID(execution))
        await act(execution)
    call = await unknown_call(database, execution, step_id="review")
    await SettlingService(database, actor=OPERATOR).settle(execution, str(call), Decimal("0.1"))
