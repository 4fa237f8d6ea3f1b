"""Database URLs: one form inside, none with a password outside."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from combine.errors import Invalid

KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""libpq parameters (seconds, milliseconds) that notice a dead server over TCP; Unix sockets ignore them."""

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


def normalise_url(text: str) -> sa.URL:
    """The URL in SQLAlchemy's form with the psycopg driver. Raises Invalid, which never repeats the text."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        shown = scheme if separator and scheme.isascii() and scheme.replace("+", "").isalnum() else "something else"
        raise _invalid(f"The database URL must begin with postgresql://, this one begins with {shown}.")
    try:
        url = sa.make_url(f"postgresql+psycopg://{rest}")
    except (sa.exc.ArgumentError, ValueError):
        raise _invalid("The database URL cannot be read.") from None
    if _holds_raw_password(rest, url):
        raise _invalid(
            "The database URL cannot be read: it holds an @, / or ? too many, or a parameter PostgreSQL does not know."
        )
    if not url.database:
        raise _invalid("The database URL names no database.")
    return url


def _holds_raw_password(rest: str, url: sa.URL) -> bool:
    """Whether part of a password that is not escaped has been taken for host, database or query, which are shown."""
    if url.username is not None:
        rest = rest.partition("@" if url.password is None else ":")[2]
    place, _, query = (rest if url.password is None else rest.partition("@")[2]).partition("?")
    names = {one.partition("=")[0] for one in query.split("&") if one}
    return "@" in place or "/" in (url.database or "") or bool(names and not names <= _parameters())


@cache
def _parameters() -> frozenset[str]:
    """Those that libpq knows; it would refuse others later."""
    from psycopg.pq import Conninfo  # noqa: PLC0415 - most URLs have none

    return frozenset(option.keyword.decode() for option in Conninfo.get_defaults())


def sqlalchemy_url(text: str) -> str:
    """The URL in SQLAlchemy's form, password included; for libraries that make an engine of their own."""
    return normalise_url(text).render_as_string(hide_password=False)


def libpq_url(url: sa.URL | str) -> str:
    """The URL as psycopg and libpq take it, password included."""
    parsed = normalise_url(url) if isinstance(url, str) else url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


def display_url(url: sa.URL | str) -> str:
    """Where it is, for a person: host, port and database, without user or password."""
    parsed = normalise_url(url) if isinstance(url, str) else url
    host = parsed.host or parsed.query.get("host") or "the local socket"
    shown = ", ".join(host) if isinstance(host, tuple) else host
    port = f":{parsed.port}" if parsed.port else ""
    return f"{shown}{port}/{parsed.database}"


def _invalid(message: str) -> Invalid:
    return Invalid(
        message,
        code="database_url_invalid",
        hint="Give COMBINE_DATABASE_URL as postgresql://USER:PASSWORD@HOST:5432/DATABASE; "
        "in the password the characters @ : / ? # are written %40 %3A %2F %3F %23.",
    )
