"""``combine tokens``: tokens that let programs, including this one, use a server on behalf of a user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

from combine.auth.permissions import Scope
from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import as_json, short, table
from combine.cli.ports import Tokens
from combine.cli.runtime import put, say
from combine.errors import Conflict, Invalid, NotFound
from combine.services.people_views import TokenView

_MAX_LISTED = 1000
_MIN_DIGITS = 4


async def create(name: str, scope: Scope, days: int, user: str | None, *, json: bool) -> int:
    """Create a token; only its secret goes to stdout, so that a script can capture it."""
    async with choose_backend().tokens() as tokens:
        created = await tokens.create(name, scope, expires_in_days=days, user=user)
    if json:
        put(as_json(asdict(created)))
        return ExitCode.COMPLETED
    token = created.token
    say(f"Created token {token.name!r} with scope {token.scope}, valid until {_day(token.expires_at)}. Save it now:")
    put(created.secret)
    say("It will not be shown again. To use it: export COMBINE_TOKEN=...")
    say(f"To revoke it: combine tokens revoke {short(token.id)}")
    return ExitCode.COMPLETED


async def list_tokens(user: str | None, *, json: bool) -> int:
    """The tokens of a user, newest first, without their secrets."""
    async with choose_backend().tokens() as tokens:
        found = await tokens.list(limit=_MAX_LISTED, user=user)
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        put("No tokens. Create one with: combine tokens create NAME --scope run")
        return ExitCode.COMPLETED
    now = datetime.now(UTC)
    rows = [
        (
            short(one.id),
            one.name,
            one.scope,
            f"...{one.hint}",
            _state(one, now),
            _day(one.expires_at),
            "never" if one.last_used_at is None else f"{one.last_used_at.astimezone(UTC):%Y-%m-%d %H:%M}",
        )
        for one in found
    ]
    for line in table(("ID", "NAME", "SCOPE", "ENDS WITH", "STATE", "EXPIRES", "LAST USED (UTC)"), rows):
        put(line)
    return ExitCode.COMPLETED


async def revoke(token: str, user: str | None, *, json: bool) -> int:
    """Revoke a token by the prefix of its id."""
    async with choose_backend().tokens() as tokens:
        revoked = await tokens.revoke(await _token_id(tokens, token, user))
    if json:
        put(as_json(asdict(revoked)))
    else:
        put(f"Revoked token {revoked.name!r} ({short(revoked.id)}).")
    return ExitCode.COMPLETED


async def _token_id(tokens: Tokens, text: str, user: str | None) -> UUID:
    """The id with this prefix. Raises Invalid, NotFound, Conflict."""
    digits = text.strip().lower().replace("-", "")
    if len(digits) == 32:  # noqa: PLR2004 - a complete id
        try:
            return UUID(digits)
        except ValueError:
            raise _not_found(text) from None
    if len(digits) < _MIN_DIGITS:
        raise Invalid(f"{text!r} is too short; use at least {_MIN_DIGITS} digits of the ID.", code="id_short")
    matching = [one for one in await tokens.list(limit=_MAX_LISTED, user=user) if one.id.hex.startswith(digits)]
    if not matching:
        raise _not_found(text)
    if len(matching) > 1:
        raise Conflict(
            f"{text} matches several tokens: {', '.join(_names(matching))}.",
            code="token_id_ambiguous",
            hint="Use more digits of the ID.",
        )
    return matching[0].id


def _names(found: list[TokenView]) -> Iterator[str]:
    return (f"{one.id} ({one.name})" for one in found)


def _not_found(text: str) -> NotFound:
    return NotFound(f"There is no token {text}.", code="token_not_found", hint="`combine tokens list` shows them.")


def _state(token: TokenView, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.expires_at > now else "expired"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
