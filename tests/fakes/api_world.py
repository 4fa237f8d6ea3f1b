"""People, projects and executions on a running server, made below the API, to be looked at and changed through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import bakery
import sqlalchemy as sa
from api_server import ApiServer
from house import House
from stored import a_document, save_document

from combine.auth.secrets import digest, new_secret, new_token
from combine.brief.reading import split_brief
from combine.documents.questions import AnswerType, Question
from combine.storage.people.api_tokens import ApiTokens, NewToken
from combine.storage.people.invitations import Invitations
from combine.storage.people.members import Members
from combine.storage.people.sessions import NewSession, Sessions
from combine.storage.people.users import Identities, Users
from combine.storage.projects import Projects
from combine.storage.questions import Questions
from combine.workflows.catalog import load_catalog

ISSUER = "https://login.example.org"


@dataclass(frozen=True)
class Person:
    """A user with a token of the scope admin."""

    id: UUID
    name: str
    email: str
    token: str


@dataclass
class World:
    """What a test has put into the server's database."""

    server: ApiServer

    def write(self, repository: type, method: str, *args: Any, **kwargs: Any) -> Any:
        """One call of a repository, in a transaction of its own."""
        database = self.server.serving.database
        return self.server.do(database.transact(lambda session: getattr(repository(session), method)(*args, **kwargs)))

    def sql(self, text: str, **values: Any) -> list[Any]:
        """A statement; the rows it returns."""

        async def work(session: Any) -> list[Any]:
            result = await session.connection.execute(sa.text(text), values)
            return list(result.all()) if result.returns_rows else []

        return self.server.do(self.server.serving.database.transact(work))

    def fresh(self, word: str) -> str:
        """A name that nothing has yet."""
        return f"{word}-{uuid4().hex[:8]}"

    def person(self, name: str = "somebody", *, role: str = "member") -> Person:
        """A user who has signed in, with a token that may do whatever the user may."""
        user_id, name = uuid4(), self.fresh(name)
        email = f"{name}@example.org"
        self.write(Users, "insert", user_id, name, email, role)
        self.identity(user_id, email)
        return Person(user_id, name, email, self.token(user_id)[1])

    def identity(self, user_id: UUID, email: str) -> str:
        """Another way to sign in; its id in the API."""
        subject = self.fresh("subject")
        self.write(Identities, "insert", user_id, ISSUER, subject, "corp", email)
        return digest(f"{ISSUER}\n{subject}")[:32]

    def token(self, user_id: UUID, scope: str = "admin", *, days: float = 1, revoked: bool = False) -> tuple[UUID, str]:
        """Id and secret. A token of fewer than no days has expired."""
        token_id, secret = uuid4(), new_token()
        new = NewToken(token_id, user_id, self.fresh("token"), digest(secret), secret[-4:], scope)
        self.write(ApiTokens, "insert", new, timedelta(days=days))
        if revoked:
            self.write(ApiTokens, "revoke", token_id)
        return token_id, secret

    def session(self, user_id: UUID) -> tuple[UUID, str]:
        """A browser that is signed in: id and cookie."""
        session_id, secret = uuid4(), new_secret()
        new = NewSession(session_id, digest(secret), user_id, "corp", "Browser 1.0")
        self.write(Sessions, "begin", new, timedelta(days=1))
        return session_id, secret

    def project(self, name: str = "project", members: Mapping[UUID, str] | None = None) -> UUID:
        """A project, with who is what in it."""
        project_id = uuid4()
        self.write(Projects, "insert", project_id, self.fresh(name))
        for user_id, role in (members or {}).items():
            self.member(project_id, user_id, role)
        return project_id

    def project_name(self, project_id: UUID) -> str:
        return str(self.sql("SELECT name FROM projects WHERE id = :id", id=project_id)[0].name)

    def member(self, project_id: UUID, user_id: UUID, role: str) -> None:
        self.write(Members, "set_role", project_id, user_id, role)

    def invitation(self, project_id: UUID, email: str, role: str = "viewer") -> UUID:
        invitation_id = uuid4()
        given = {"invited_by": None, "lifetime": timedelta(days=1)}
        self.write(Invitations, "insert", invitation_id, project_id, email, role, **given)
        return invitation_id

    def house(self, **given: Any) -> House:
        """Runs executions in the server's loop; see ``tests/fakes/house.py``."""
        return House(self.server.serving.database, load_catalog(None), **given)

    def queued(self, project_id: UUID, **changes: Any) -> UUID:
        """An execution that nothing works on."""
        given = {"project": self.project_name(project_id), "brief": split_brief(bakery.BRIEF), **changes}
        return UUID(self.server.do(self.house().start(**given)))

    def completed(self, project_id: UUID, **changes: Any) -> UUID:
        """An execution with its four documents, a question and calls."""
        return self.server.do(self._complete(self.project_name(project_id), changes))

    async def _complete(self, project: str, changes: Mapping[str, Any]) -> UUID:
        house = self.house()
        execution = await house.start(project=project, **changes)
        await house.run()
        await house.service.answer(execution, {"Q-1": "Offer the next free day."})
        row = await house.run()
        assert row.status == "completed", row
        return UUID(execution)

    def set_status(self, execution_id: UUID, status: str, step_id: str | None = None, **step: Any) -> None:
        """Where an execution, and one of its steps, stands from now on."""
        self.sql("UPDATE executions SET status = :status WHERE id = :id", id=execution_id, status=status)
        if step_id is not None:
            self.sql(
                "UPDATE steps SET status = :status, document_id = :document WHERE execution_id = :id AND step_id = :s",
                id=execution_id,
                s=step_id,
                status=status,
                document=step.get("document_id"),
            )

    def asking(self, project_id: UUID) -> UUID:
        """An execution that waits for answers."""
        execution_id = self.queued(project_id)
        question = Question("Which?", "It decides.", AnswerType.FREE_TEXT, "This one.")
        self.write(Questions, "insert_many", execution_id, "discovery", 1, [question])
        self.set_status(execution_id, "waiting_for_answers", "discovery")
        return execution_id

    def at_a_gate(self, project_id: UUID) -> UUID:
        """An execution that waits for acceptance."""
        execution_id = self.queued(project_id)
        document_id = self.document(project_id, "project-discovery", execution_id=execution_id)
        self.set_status(execution_id, "waiting_for_acceptance", "discovery", document_id=document_id)
        return execution_id

    def undecided(self, project_id: UUID) -> UUID:
        """An execution that waits for a decision."""
        execution_id = self.queued(project_id)
        self.set_status(execution_id, "waiting_for_decision", "discovery")
        return execution_id

    def failed(self, project_id: UUID) -> UUID:
        """An execution that has failed."""
        execution_id = self.queued(project_id)
        self.set_status(execution_id, "failed", "discovery")
        return execution_id

    def document(self, project_id: UUID, type_: str, content: Mapping[str, Any] | None = None, **more: Any) -> UUID:
        """A version of a document."""
        execution_id = more.pop("execution_id", None) or self.queued(project_id)
        new = a_document(project_id, execution_id, type_, content or bakery.document(type_), step_id="discovery")
        after = {"status": "active", **more}
        self.server.do(self.server.serving.database.transact(lambda session: save_document(session, new, **after)))
        return new.id
