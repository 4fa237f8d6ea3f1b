"""Personal access tokens: creates, lists and revokes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from combine.auth.addresses import email_address
from combine.auth.permissions import Actor, Scope
from combine.auth.secrets import digest, new_token
from combine.errors import Invalid, NotPermitted
from combine.services.audit import record_audit
from combine.services.people import need_person
from combine.services.people_views import NewTokenView, TokenView
from combine.services.views import view
from combine.storage.core.database import Database, ReadSession, WriteSession
from combine.storage.people.api_tokens import ApiTokens, NewToken, TokenRow
from combine.storage.people.users import LOCAL, LOCAL_USER_ID, Users

MAX_NAME = 80
DEFAULT_DAYS = 90
MAX_DAYS = 365
HINT_LENGTH = 4


class TokenService:
    """The tokens of the current user. On the command line ``user`` says whose: an address, or ``local``."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor

    async def create(
        self, name: str, scope: Scope, *, expires_in_days: int = DEFAULT_DAYS, user: str | None = None
    ) -> NewTokenView:
        """A new token; the only time its secret is shown.

        Raises Invalid for an invalid name or lifetime, NotPermitted below the scope admin.
        """
        self._actor.need_scope(Scope.ADMIN)
        words = _name(name)
        if not 1 <= expires_in_days <= MAX_DAYS:
            raise Invalid(f"The lifetime of a token must be between 1 and {MAX_DAYS} days.", code="token_days_invalid")
        token_id, secret = uuid4(), new_token()

        async def work(session: WriteSession) -> TokenRow:
            if self._actor.user_id is None and user in {None, LOCAL}:
                await Users(session).local()
            owner = await self._owner(session, user)
            new = NewToken(token_id, owner, words, digest(secret), secret[-HINT_LENGTH:], scope)
            row = await ApiTokens(session).insert(new, timedelta(days=expires_in_days))
            said = {"name": words, "scope": scope.value, "user_id": str(owner), "days": expires_in_days}
            await record_audit(session, self._actor, "token.created", object_=str(token_id), data=said)
            return row

        return NewTokenView(_view(await self._database.transact(work)), secret)

    async def list(
        self, *, before: tuple[datetime, UUID] | None = None, limit: int = 50, user: str | None = None
    ) -> tuple[TokenView, ...]:
        """Tokens, newest first, including expired and revoked ones.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page.
        """
        async with self._database.read() as session:
            owner = await self._owner(session, user)
            return tuple(_view(row) for row in await ApiTokens(session).list(owner, before=before, limit=limit))

    async def revoke(self, token_id: UUID) -> TokenView:
        """Revoke a token, effective from the next request on. Idempotent. Raises NotFound, NotPermitted.

        On the command line: a token of any user.
        """
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> TokenRow:
            tokens = ApiTokens(session)
            row = await tokens.get(token_id, self._actor.user_id)
            if await tokens.revoke(token_id):
                said = {"name": row.name, "user_id": str(row.user_id)}
                await record_audit(session, self._actor, "token.revoked", object_=str(token_id), data=said)
            return await tokens.get(token_id, self._actor.user_id)

        return _view(await self._database.transact(work))

    async def _owner(self, session: ReadSession, user: str | None) -> UUID:
        if self._actor.user_id is not None:
            if user is not None:
                raise NotPermitted(
                    "Tokens of other users are only available on the command line.", code="operator_needed"
                )
            return need_person(self._actor)
        if user in {None, LOCAL}:
            return LOCAL_USER_ID
        return (await Users(session).by_email(email_address(str(user)))).id


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(
            f"{text[:80]!r} is not a valid token name; use 1 to {MAX_NAME} printable characters.",
            code="token_name_invalid",
        )
    return name


def _view(row: TokenRow) -> TokenView:
    return view(TokenView, row, scope=Scope(row.scope))
