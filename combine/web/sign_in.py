"""Signing in and out with a browser."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from combine.api.caller import TheServices, refuse_other_sites, services_of, session_cookie_name
from combine.api.errors import status_of
from combine.api.limits import Limit, client_address
from combine.api.shell import Shell, TheShell
from combine.auth.secrets import new_secret
from combine.errors import CombineError, NotPermitted, NotSignedIn
from combine.observability.correlation import current_request_id
from combine.services.people_views import SignedIn
from combine.services.sign_in import Browser
from combine.web.pages import page

router: Final = APIRouter(include_in_schema=False)

_ATTEMPT_COOKIE: Final = "combine_sign_in"
_ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
_MAX_USER_AGENT: Final = 300

Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
async def home(request: Request, shell: TheShell) -> Response:
    """Who one is; for those who are nobody yet, the way in."""
    try:
        services = await services_of(request, shell)
    except NotSignedIn:
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    return page("home.html", me=await services.users.me(), server=shell.public_url)


@router.get("/login")
async def login(shell: TheShell, next_path: Next = "/") -> Response:
    """The ways to sign in."""
    return page("login.html", providers=shell.serving.sign_in.providers(), next_path=next_path)


@router.get("/login/local")
async def redeem_link(request: Request, shell: TheShell, key: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The link that the server printed: good once."""
    await shell.limits.check(Limit.SIGN_IN, client_address(request))
    links = shell.serving.one_time_links
    if links is None or not links.redeem(key):
        return _refused(
            NotPermitted(
                "This link is not good, or not any more.",
                code="link_spent",
                hint="Start combine serve again for a new one.",
            )
        )
    return _into_session(shell, await shell.serving.sign_in.local_sign_in(_browser(request, shell)))


@router.get("/login/{provider}")
async def begin(
    provider: str, request: Request, shell: TheShell, next_path: Next = "/", *, link: bool = False
) -> Response:
    """Off to the provider; with ``link`` to add it to who is signed in."""
    await shell.limits.check(Limit.SIGN_IN, client_address(request))
    # The same in every tab of a browser: the one begun second must not spoil the first.
    secret = request.cookies.get(_attempt_cookie(shell)) or new_secret()
    try:
        user_id = await _signed_in_here(request, shell) if link else None
        url = await shell.serving.sign_in.begin(
            provider, next_path, secret, _callback(shell, provider), link_user_id=user_id
        )
    except CombineError as error:
        return _refused(error)
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        _attempt_cookie(shell),
        secret,
        max_age=int(_ATTEMPT_LIFETIME.total_seconds()),
        path="/",
        secure=shell.https,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/login/{provider}/callback")
async def finish(provider: str, request: Request, shell: TheShell) -> Response:
    """Back from the provider."""
    await shell.limits.check(Limit.SIGN_IN, client_address(request))
    try:
        signed_in = await shell.serving.sign_in.finish(
            provider,
            dict(request.query_params),
            request.cookies.get(_attempt_cookie(shell)),
            _callback(shell, provider),
            _browser(request, shell),
        )
    except CombineError as error:
        return _refused(error)
    response = _into_session(shell, signed_in)
    response.delete_cookie(_attempt_cookie(shell), path="/", secure=shell.https, httponly=True, samesite="lax")
    return response


@router.post("/logout")
async def logout(request: Request, shell: TheShell) -> Response:
    """End this session, here and, where the provider has a place for it, there."""
    refuse_other_sites(request, shell)
    secret = request.cookies.get(session_cookie_name(shell))
    url = None if secret is None else await shell.serving.sign_in.sign_out(secret, f"{shell.public_url}/login")
    return _out_of_session(shell, page("signed_out.html", provider_url=url))


@router.post("/logout/everywhere")
async def logout_everywhere(shell: TheShell, services: TheServices) -> Response:
    """End all of one's sessions."""
    await services.sessions.end_all()
    return _out_of_session(shell, page("signed_out.html", provider_url=None))


async def _signed_in_here(request: Request, shell: Shell) -> UUID | None:
    """Whose session this browser has. Raises NotSignedIn, and NotPermitted if another site's page has led here."""
    refuse_other_sites(request, shell, always=True)
    actor = (await services_of(request, shell)).actor
    if actor.session_id is None:
        raise NotSignedIn("A token cannot add a way to sign in.", hint="Sign in with the browser first.")
    return actor.user_id


def _callback(shell: Shell, provider: str) -> str:
    return f"{shell.public_url}/login/{provider}/callback"


def _attempt_cookie(shell: Shell) -> str:
    return f"__Host-{_ATTEMPT_COOKIE}" if shell.https else _ATTEMPT_COOKIE


def _browser(request: Request, shell: Shell) -> Browser:
    agent = request.headers.get("user-agent", "")[:_MAX_USER_AGENT]
    return Browser(agent, request.cookies.get(session_cookie_name(shell)))


def _into_session(shell: Shell, signed_in: SignedIn) -> Response:
    response = RedirectResponse(signed_in.next_path, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        session_cookie_name(shell),
        signed_in.session_secret,
        expires=signed_in.expires_at,
        path="/",
        secure=shell.https,
        httponly=True,
        samesite="lax",
    )
    return response


def _out_of_session(shell: Shell, response: Response) -> Response:
    response.delete_cookie(session_cookie_name(shell), path="/", secure=shell.https, httponly=True, samesite="lax")
    return response


def _refused(error: CombineError) -> Response:
    return page(
        "refused.html",
        status=status_of(error),
        message=error.message,
        hint=error.hint,
        code=error.code,
        request_id=current_request_id() or "",
    )
