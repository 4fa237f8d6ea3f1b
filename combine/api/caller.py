"""What routes depend on: the parts of the running server, and the services that act for the caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, TypedDict

from fastapi import Depends, Request, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.security import APIKeyCookie, HTTPBearer

from combine.api.answers import RenderedPages
from combine.api.correlation import signed_in
from combine.api.errors import invalid_request, request_fault
from combine.api.limits import MAX_STREAMS, ConcurrencyLimit, Limit, RateLimits, client_address
from combine.auth.permissions import Actor
from combine.bootstrap.serving import Serving
from combine.errors import NotPermitted, NotSignedIn
from combine.observability.metrics import Metrics
from combine.services.bundle import Services

_BEARER: Final = "bearer "
_COOKIE: Final = APIKeyCookie(
    name="combine_session",
    auto_error=False,
    description="A browser session; over HTTPS the name starts with `__Host-`.",
)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Shell:
    """The running server, as routes see it."""

    serving: Serving
    limits: RateLimits
    metrics: Metrics | None
    """None: switched off."""
    public_url: str
    """An origin, without a trailing slash."""
    streams: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit(MAX_STREAMS))
    pages: RenderedPages = field(default_factory=RenderedPages)

    @property
    def https(self) -> bool:
        """Whether browsers connect over HTTPS, so that cookies can be restricted to it."""
        return self.public_url.startswith("https:")


class State(TypedDict):
    """What the lifespan puts into the state of each request."""

    shell: Shell


async def the_shell(request: Request) -> Shell:
    """The server that handles the request."""
    shell: Shell = request.state.shell
    return shell


TheShell = Annotated[Shell, Depends(the_shell)]


def session_cookie_name(shell: Shell) -> str:
    """Browsers accept a ``__Host-`` cookie only from this exact host and only over HTTPS."""
    return "__Host-combine_session" if shell.https else "combine_session"


async def services_of(request: Request, shell: TheShell) -> Services:
    """The services for the caller. Raises NotSignedIn, or NotPermitted for a cross-site request."""
    actor = await _actor(request, shell)
    if actor.user_id is not None:
        signed_in(request, actor.user_id)
    return shell.serving.services_for(actor)


async def _actor(request: Request, shell: Shell) -> Actor:
    credential = request.headers.get("authorization")
    secret = request.cookies.get(session_cookie_name(shell))
    if credential is None and secret is None:
        raise NotSignedIn(hint="Send a token (Authorization: Bearer cmb_...), or sign in with a browser.")
    try:
        if credential is not None:
            return await shell.serving.authentication.authenticate_token(_token(credential))
        assert secret is not None  # one of the two was sent
        actor = await shell.serving.authentication.authenticate_session(secret)
    except NotSignedIn:
        # Only failures count: wrong credentials must not lock out others behind the same address.
        await shell.limits.check(Limit.SIGN_IN_FAILED, client_address(request))
        raise
    refuse_other_sites(request, shell)
    return actor


def _token(credential: str) -> str:
    if not credential.lower().startswith(_BEARER):
        raise NotSignedIn(
            "The Authorization header must contain a bearer token.",
            code="credential_malformed",
            hint="Send Authorization: Bearer cmb_...",
        )
    return credential[len(_BEARER) :].strip()


def refuse_other_sites(request: Request, shell: Shell, *, always: bool = False) -> None:
    """Raises NotPermitted if a page of another site made the browser send a request that changes something.

    ``always``: check the request although its method is a safe one. Browsers send at least one of the two headers with
    such requests; other clients may send neither, and do not send a session cookie unintentionally.
    """
    if request.method in _SAFE and not always:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {shell.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if site in {"same-origin", "none"} or (site is None and (origin is None or origin in own)):
        return
    raise NotPermitted(
        "Cross-site request rejected.",
        code="other_site",
        hint="Use the pages of this server, or send a token instead of a session cookie.",
    )


async def _the_services(
    request: Request,
    shell: TheShell,
    _credential: Annotated[object, Security(HTTPBearer(auto_error=False, description="A personal access token."))],
    _cookie: Annotated[object, Security(_COOKIE)],
) -> Services:
    services = await services_of(request, shell)
    if request.query_params:
        _refuse_unknown_parameters(request)
    return services


def _refuse_unknown_parameters(request: Request) -> None:
    """Raises the 422: a mistyped filter would return the whole list."""
    declared = get_flat_params(request.scope["route"].dependant)
    known = sorted(one.alias for one in declared if isinstance(one.field_info, Query))
    allowed = f"allowed: {', '.join(known)}" if known else "this route has no query parameters"
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise invalid_request([request_fault(f"query.{name}", f"unknown parameter; {allowed}") for name in unknown])


TheServices = Annotated[Services, Depends(_the_services)]
