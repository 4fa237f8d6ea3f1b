"""``combine tokens``: what lets a program, this one too, work at a server in somebody's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

from combine.auth.permissions import Scope
from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.ports import Tokens
from combine.cli.runtime import put, say
from combine.cli.tables import table
from combine.cli.wording import short
from combine.errors import Conflict, Invalid, NotFound
from combine.services.people_views import TokenView

_MOST = 1000
_SHORTEST = 4


async def create(name: str, scope: Scope, days: int, user: str | None, *, json: bool) -> int:
    """Make one; its secret alone goes to stdout, so that it can be caught in a variable."""
    async with the_place().tokens() as tokens:
        made = await tokens.create(name, scope, expires_in_days=days, user=user)
    if json:
        put(as_json(asdict(made)))
        return ExitCode.COMPLETED
    token = made.token
    say(f"Token {token.name!r}: scope {token.scope}, good until {_day(token.expires_at)}. It is shown only now:")
    put(made.secret)
    say(f"Use it with: export COMBINE_TOKEN=...  Make it worthless with: combine tokens revoke {short(token.id)}")
    return ExitCode.COMPLETED


async def list_tokens(user: str | None, *, json: bool) -> int:
    """Somebody's tokens, the newest first, without their secrets."""
    async with the_place().tokens() as tokens:
        found = await tokens.list(limit=_MOST, user=user)
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        put("No tokens. Make one: combine tokens create NAME --scope run")
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
    for line in table(("ID", "NAME", "SCOPE", "ENDS WITH", "STATE", "GOOD UNTIL", "LAST USED (UTC)"), rows):
        put(line)
    return ExitCode.COMPLETED


async def revoke(token: str, user: str | None, *, json: bool) -> int:
    """Make one worthless, by the beginning of its id."""
    async with the_place().tokens() as tokens:
        done = await tokens.revoke(await _meant(tokens, token, user))
    if json:
        put(as_json(asdict(done)))
    else:
        put(f"Token {done.name!r} ({short(done.id)}) is worthless now.")
    return ExitCode.COMPLETED


async def _meant(tokens: Tokens, text: str, user: str | None) -> UUID:
    """The id that begins so. Raises Invalid, NotFound, Conflict."""
    digits = text.strip().lower().replace("-", "")
    if len(digits) == 32:  # noqa: PLR2004 - a whole id
        try:
            return UUID(digits)
        except ValueError:
            raise _not_found(text) from None
    if len(digits) < _SHORTEST:
        raise Invalid(f"{text!r} is too short: give at least {_SHORTEST} digits of the id.", code="id_short")
    fitting = [one for one in await tokens.list(limit=_MOST, user=user) if one.id.hex.startswith(digits)]
    if not fitting:
        raise _not_found(text)
    if len(fitting) > 1:
        raise Conflict(
            f"Several tokens begin with {text}: {', '.join(_names(fitting))}.",
            code="token_id_ambiguous",
            hint="Give more digits of the id.",
        )
    return fitting[0].id


def _names(found: list[TokenView]) -> Iterator[str]:
    return (f"{one.id} ({one.name})" for one in found)


def _not_found(text: str) -> NotFound:
    return NotFound(f"There is no token {text}.", code="token_not_found", hint="`combine tokens list` shows them.")


def _state(token: TokenView, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "good" if token.expires_at > now else "expired"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
