"""Who calls, and the services that work for them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.security import APIKeyCookie, HTTPBearer

from combine.api.correlation import signed_in
from combine.api.errors import faulty
from combine.api.faults import said
from combine.api.limits import Limit, client_address
from combine.api.shell import Shell, TheShell
from combine.auth.permissions import Actor
from combine.errors import NotPermitted, NotSignedIn
from combine.services.bundle import Services

_BEARER: Final = "bearer "
_COOKIE: Final = APIKeyCookie(
    name="combine_session",
    auto_error=False,
    description="A browser's session; over https its name begins with `__Host-`.",
)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def session_cookie_name(shell: Shell) -> str:
    """``__Host-`` makes browsers refuse it from anywhere but this very host over https."""
    return "__Host-combine_session" if shell.https else "combine_session"


async def services_of(request: Request, shell: TheShell) -> Services:
    """The services of whoever sent the request. Raises NotSignedIn, NotPermitted for a page of another site."""
    actor = await _actor(request, shell)
    if actor.user_id is not None:
        signed_in(request, actor.user_id)
    return shell.serving.services_for(actor)


async def _actor(request: Request, shell: Shell) -> Actor:
    credential = request.headers.get("authorization")
    secret = request.cookies.get(session_cookie_name(shell))
    if credential is None and secret is None:
        raise NotSignedIn(hint="Send a token (Authorization: Bearer cmb_...), or sign in with the browser.")
    try:
        if credential is not None:
            return await shell.serving.authentication.authenticate_token(_token(credential))
        assert secret is not None  # one of the two was sent
        actor = await shell.serving.authentication.authenticate_session(secret)
    except NotSignedIn:
        # Only now: wrong credentials of others behind the same address must not keep out who has good ones.
        await shell.limits.check(Limit.SIGN_IN_FAILED, client_address(request))
        raise
    refuse_other_sites(request, shell)
    return actor


def _token(credential: str) -> str:
    if not credential.lower().startswith(_BEARER):
        raise NotSignedIn(
            "The Authorization header holds no bearer token.", code="credential_malformed", hint="Bearer cmb_..."
        )
    return credential[len(_BEARER) :].strip()


def refuse_other_sites(request: Request, shell: Shell, *, always: bool = False) -> None:
    """Raises NotPermitted if a page of another site made the browser send a request that changes something.

    ``always``: this one changes something, although its method does not say so.

    Browsers say where a request comes from; what sends neither header is none, and holds no cookie by accident.
    """
    if request.method in _SAFE and not always:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {shell.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if site in {"same-origin", "none"} or (site is None and (origin is None or origin in own)):
        return
    raise NotPermitted(
        "This request comes from a page of another site.", code="other_site", hint="Use the pages of this server."
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
    """Raises the 422: a filter whose name is mistyped would show everything."""
    declared = get_flat_params(request.scope["route"].dependant)
    known = sorted(one.alias for one in declared if isinstance(one.field_info, Query))
    words = f"there is no such parameter; known are {', '.join(known)}" if known else "no parameter is known here"
    if faults := [said(f"query.{name}", words) for name in request.query_params if name not in known]:
        raise faulty(faults)


TheServices = Annotated[Services, Depends(_the_services)]
