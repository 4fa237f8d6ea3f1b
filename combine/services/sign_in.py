"""Signing in and out: with a provider, or as the only user in local mode."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from combine.auth.addresses import domain_of, local_path
from combine.auth.permissions import InstanceRole
from combine.auth.providers import Person, SignInAttempt, SignInProviders
from combine.auth.secrets import digest, new_secret
from combine.errors import CombineError, Invalid, NotFound, NotPermitted, NotSignedIn
from combine.services.audit import record_audit
from combine.services.identifying import identify, link
from combine.services.people import acting, user_view
from combine.services.people_views import SignedIn, SignInProviderView
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.sessions import NewSession, Sessions
from combine.storage.people.sign_ins import NewSignIn, SignInRow, SignIns
from combine.storage.people.users import LOCAL, Identities, UserRow, Users

ANY_DOMAIN = "*"
MAX_USER_AGENT = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignInPolicy:
    """Who may sign in, and for how long."""

    allowed_domains: frozenset[str]
    """In lower case; ``*``: all."""
    bootstrap_admin: str | None
    """The address that becomes admin if there is none yet."""
    session_idle: timedelta
    session_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Browser:
    """What the browser sends."""

    user_agent: str = ""
    session_secret: str | None = field(default=None, repr=False)
    """The secret of its current session, which is replaced."""


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A new session: its secrets are generated before the transaction, which may run twice."""

    provider: str
    next_path: str = "/"
    linked: bool = False
    session_id: UUID = field(default_factory=uuid4)
    secret: str = field(default_factory=new_secret, repr=False)


class SignInService:
    """For people who are not signed in yet, so it has no actor."""

    def __init__(self, database: Database, providers: SignInProviders, policy: SignInPolicy) -> None:
        self._database = database
        self._providers = providers
        self._policy = policy

    def providers(self) -> tuple[SignInProviderView, ...]:
        """The ways to sign in, in the order of the settings; empty: local mode."""
        return tuple(SignInProviderView(one.name, one.label) for one in self._providers.configs)

    async def begin(
        self,
        provider: str,
        next_path: str | None,
        browser_secret: str,
        redirect_uri: str,
        *,
        link_user_id: UUID | None = None,
    ) -> str:
        """The URL to redirect the browser to.

        ``browser_secret``: the value of a cookie that only this browser has. ``link_user_id``: the signed-in user who
        links another identity. Raises NotFound for an unknown provider, Unavailable if it does not respond.
        """
        chosen = self._providers.get(provider)
        state = new_secret()
        attempt = SignInAttempt(redirect_uri, nonce=new_secret(), code_verifier=new_secret())
        linking = link_user_id is not None
        url = await chosen.authorization_url(attempt, state, choose_account=linking)
        new = NewSignIn(
            state_sha256=digest(state),
            browser_sha256=digest(browser_secret),
            provider=provider,
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
            next_path=local_path(next_path),
            link_user_id=link_user_id,
        )
        await self._database.transact(lambda session: SignIns(session).begin(new))
        return url

    async def finish(
        self,
        provider: str,
        params: Mapping[str, str],
        browser_secret: str | None,
        redirect_uri: str,
        browser: Browser = Browser(),
    ) -> SignedIn:
        """A new session for the user who returned with ``params``, the query of the redirect.

        Raises Invalid, NotSignedIn, NotPermitted or Conflict, with a code for each cause, NotFound for an unknown
        provider, Unavailable if it does not respond.
        """
        chosen = self._providers.get(provider)
        try:
            state = params.get("state", "")
            if (word := params.get("error")) is not None:
                await self._database.transact(lambda session: SignIns(session).take(digest(state)))
                raise chosen.refusal(word)
            begun = await self._take(state, browser_secret, provider)
            attempt = SignInAttempt(redirect_uri, begun.nonce, begun.code_verifier)
            person = await chosen.person(params, attempt)
            self._check_domain(person)
            return await self._sign_in(begun, person, browser)
        except CombineError as error:
            _log.warning("Sign-in with %s failed: %s", provider, error.code)
            raise

    async def local_sign_in(self, browser: Browser = Browser()) -> SignedIn:
        """A new session for the only user in local mode, for whoever redeemed the link. Raises NotPermitted."""
        fresh = _Fresh(LOCAL)

        async def work(session: WriteSession) -> SignedIn:
            user = await Users(session).local()
            _must_not_be_disabled(user)
            return await self._begin_session(session, user, fresh, browser)

        return await self._database.transact(work)

    async def sign_out(self, session_secret: str, post_logout_redirect_uri: str) -> str | None:
        """End this session; returns the URL that signs the browser out at the provider too, if there is one.
        A session that has already ended is not an error.
        """

        async def work(session: WriteSession) -> tuple[str, str | None] | None:
            row = await Sessions(session).end_by_secret(digest(session_secret))
            if row is None:
                return None
            user = await Users(session).get(row.user_id)
            await record_audit(session, acting(user, row.id), "session.ended", object_=str(row.id))
            known = [one for one in await Identities(session).list(user.id) if one.provider == row.provider]
            latest = max(known, key=lambda one: one.last_used_at, default=None)
            return row.provider, None if latest is None else latest.email

        ended = await self._database.transact(work)
        if ended is None:
            return None
        try:
            provider = self._providers.get(ended[0])
        except NotFound:  # local, or no longer configured
            return None
        return await provider.logout_url(post_logout_redirect_uri, ended[1])

    async def _take(self, state: str, browser_secret: str | None, provider: str) -> SignInRow:
        """The sign-in started with this state, which cannot be used again, whatever happens next."""
        begun = await self._database.transact(lambda session: SignIns(session).take(digest(state)))
        if begun is None or begun.provider != provider:
            raise Invalid(
                "This sign-in was not started here or has already been used.",
                code="sign_in_state_unknown",
                hint=_AGAIN,
            )
        if begun.expired:
            raise Invalid("This sign-in has timed out.", code="sign_in_expired", hint=_AGAIN)
        if browser_secret is None or digest(browser_secret) != begun.browser_sha256:
            raise Invalid(
                "This sign-in was started in another browser, or the browser blocks cookies.",
                code="sign_in_other_browser",
                hint=_AGAIN,
            )
        return begun

    def _check_domain(self, person: Person) -> None:
        domain = domain_of(person.email)
        if ANY_DOMAIN not in self._policy.allowed_domains and domain not in self._policy.allowed_domains:
            raise NotPermitted(
                f"Addresses at {domain} are not allowed to sign in here.",
                code="email_domain_not_allowed",
                hint="Sign in with another account, or ask the operator of this server.",
            )

    async def _sign_in(self, begun: SignInRow, person: Person, browser: Browser) -> SignedIn:
        fresh, user_id = _Fresh(begun.provider, begun.next_path, begun.link_user_id is not None), uuid4()

        async def work(session: WriteSession) -> SignedIn:
            if begun.link_user_id is None:
                user = await identify(session, person, begun.provider, user_id)
            else:
                await self._must_still_be(session, begun.link_user_id, browser)
                user = await link(session, person, begun.provider, begun.link_user_id)
            _must_not_be_disabled(user)
            user = await self._bootstrapped(session, user, person)
            return await self._begin_session(session, user, fresh, browser)

        return await self._database.transact(work)

    async def _must_still_be(self, session: WriteSession, user_id: UUID, browser: Browser) -> None:
        """The user who started linking must still be signed in: the browser may have changed hands in between."""
        secret = browser.session_secret
        owner = (
            None if secret is None else await Sessions(session).authenticate(digest(secret), self._policy.session_idle)
        )
        if owner is None or owner.expired or owner.user_id != user_id:
            raise NotSignedIn(
                "You are no longer signed in as the user who started this.", code="link_session_ended", hint=_AGAIN
            )

    async def _bootstrapped(self, session: WriteSession, user: UserRow, person: Person) -> UserRow:
        wanted = person.email == self._policy.bootstrap_admin and user.role != InstanceRole.ADMIN
        if not wanted or await Users(session).has_admin():
            return user
        await Users(session).set_role(user.id, InstanceRole.ADMIN)
        await record_audit(session, acting(user), "sign_in.bootstrap_admin", object_=str(user.id))
        return await Users(session).get(user.id)

    async def _begin_session(self, session: WriteSession, user: UserRow, fresh: _Fresh, browser: Browser) -> SignedIn:
        if browser.session_secret is not None:
            await Sessions(session).end_by_secret(digest(browser.session_secret))
        agent = "".join(one for one in browser.user_agent if one.isprintable())[:MAX_USER_AGENT]
        new = NewSession(fresh.session_id, digest(fresh.secret), user.id, fresh.provider, agent)
        row = await Sessions(session).begin(new, self._policy.session_lifetime)
        said = {"provider": fresh.provider}
        await record_audit(session, acting(user, row.id), "session.started", object_=str(row.id), data=said)
        return SignedIn(
            session_secret=fresh.secret,
            session_id=row.id,
            user=user_view(user),
            next_path=fresh.next_path,
            linked=fresh.linked,
            expires_at=row.expires_at,
        )


_AGAIN = "Start again on the sign-in page."


def _must_not_be_disabled(user: UserRow) -> None:
    """Raises NotPermitted for a disabled user."""
    if user.disabled_at is not None:
        raise NotPermitted("Your account is disabled.", code="user_disabled", hint="Ask an admin of the installation.")
