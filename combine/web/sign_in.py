"""Routes for signing in and out with a browser."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from combine.api.caller import Shell, TheServices, TheShell, refuse_other_sites, services_of, session_cookie_name
from combine.api.errors import status_of
from combine.api.limits import Limit, client_address
from combine.auth.secrets import new_secret
from combine.errors import CombineError, NotPermitted, NotSignedIn
from combine.observability.correlation import current_request_id
from combine.services.people_views import SignedIn
from combine.services.sign_in import Browser
from combine.web.pages import render_page

router: Final = APIRouter(include_in_schema=False)

_ATTEMPT_COOKIE: Final = "combine_sign_in"
_ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
_MAX_USER_AGENT: Final = 300

Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
async def home(request: Request, shell: TheShell) -> Response:
    """The home page, or a redirect to the sign-in page."""
    try:
        services = await services_of(request, shell)
    except NotSignedIn:
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    return render_page("home.html", me=await services.users.me(), server=shell.public_url)


@router.get("/login")
async def login(shell: TheShell, next_path: Next = "/") -> Response:
    """The sign-in page."""
    return render_page("login.html", providers=shell.serving.sign_in.providers(), next_path=next_path)


@router.get("/login/local")
async def redeem_link(request: Request, shell: TheShell, key: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Redeem the one-time link that the server printed."""
    await shell.limits.check(Limit.SIGN_IN, client_address(request))
    links = shell.serving.one_time_links
    if links is None or not links.redeem(key):
        return _refused(
            NotPermitted(
                "This link is invalid, expired or already used.",
                code="link_spent",
                hint="Restart combine serve to get a new link.",
            )
        )
    return _into_session(shell, await shell.serving.sign_in.local_sign_in(_browser(request, shell)))


@router.get("/login/{provider}")
async def begin(
    provider: str, request: Request, shell: TheShell, next_path: Next = "/", *, link: bool = False
) -> Response:
    """Redirect to the provider. With ``link``, its account is added to the user who is signed in."""
    await shell.limits.check(Limit.SIGN_IN, client_address(request))
    # Shared by all tabs of a browser, so that a second attempt does not invalidate the first.
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
    """Finish the sign-in when the provider redirects back."""
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
    """End this session, and also the provider's if it supports that."""
    refuse_other_sites(request, shell)
    secret = request.cookies.get(session_cookie_name(shell))
    url = None if secret is None else await shell.serving.sign_in.sign_out(secret, f"{shell.public_url}/login")
    return _out_of_session(shell, render_page("signed_out.html", provider_url=url))


@router.post("/logout/everywhere")
async def logout_everywhere(shell: TheShell, services: TheServices) -> Response:
    """End all sessions of the user."""
    await services.sessions.end_all()
    return _out_of_session(shell, render_page("signed_out.html", provider_url=None))


async def _signed_in_here(request: Request, shell: Shell) -> UUID | None:
    """The user of this browser's session. Raises NotSignedIn, or NotPermitted for a cross-site request."""
    refuse_other_sites(request, shell, always=True)
    actor = (await services_of(request, shell)).actor
    if actor.session_id is None:
        raise NotSignedIn("Adding a way to sign in requires a browser session.", hint="Sign in with a browser first.")
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
    return render_page(
        "refused.html",
        status=status_of(error),
        message=error.message,
        hint=error.hint,
        code=error.code,
        request_id=current_request_id() or "",
    )
