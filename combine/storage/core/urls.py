"""Database URLs: one form internally, shown without the password."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

import sqlalchemy as sa

from combine.errors import Invalid

KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
"""libpq parameters (seconds, milliseconds) that notice a dead server over TCP; Unix sockets ignore them."""

_SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


def normalise_url(text: str) -> sa.URL:
    """The URL in SQLAlchemy's form with the psycopg driver. Raises Invalid, which never contains the text."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        is_plain = separator and scheme.isascii() and scheme.replace("+", "").isalnum()
        shown = f", not with {scheme}://" if is_plain else ""
        raise _invalid(f"The database URL must start with postgresql://{shown}.")
    try:
        # For libpq a plus is a plus, also in the query.
        url = sa.make_url(f"postgresql+psycopg://{rest.replace('+', '%2B')}")
    except (sa.exc.ArgumentError, ValueError):
        raise _invalid("The database URL is not valid.") from None
    if _holds_raw_password(rest, url):
        raise _invalid(
            "The database URL is not valid: it contains an extra @, / or ?, or a parameter unknown to PostgreSQL."
        )
    if not url.database:
        raise _invalid("The database URL has no database name.")
    return url


def _holds_raw_password(rest: str, url: sa.URL) -> bool:
    """Whether part of an unescaped password was parsed as host, database or query, which are shown."""
    if url.username is not None:
        rest = rest.partition("@" if url.password is None else ":")[2]
    place, _, query = (rest if url.password is None else rest.partition("@")[2]).partition("?")
    names = {one.partition("=")[0] for one in query.split("&") if one}
    return "@" in place or place.count("/") > 1 or bool(names and not names <= _parameters())


@cache
def _parameters() -> frozenset[str]:
    """The parameters that libpq knows; it would reject others later."""
    from psycopg.pq import Conninfo  # noqa: PLC0415 - most URLs have none

    return frozenset(option.keyword.decode() for option in Conninfo.get_defaults())


def libpq_url(url: sa.URL | str) -> str:
    """The URL in the form of psycopg and libpq, with the password."""
    parsed = normalise_url(url) if isinstance(url, str) else url
    # Percent-encoded, which SQLAlchemy reads, too; it would write a blank as a plus, which libpq takes for a plus.
    secret = "" if parsed.password is None else f":{_encoded(parsed.password)}"
    user = f"{_encoded(parsed.username or '')}{secret}@" if parsed.username or secret else ""
    host = parsed.host or ""  # as it is: SQLAlchemy does not decode it, and it may be a list
    host = f"[{host}]" if ":" in host else host
    port = f":{parsed.port}" if parsed.port else ""
    query = "&".join(f"{name}={_encoded(value)}" for name, values in parsed.query.items() for value in _all(values))
    return f"postgresql://{user}{host}{port}/{_encoded(parsed.database or '')}{'?' if query else ''}{query}"


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _all(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


OPTIONS = r"-c TimeZone=UTC -c default_transaction_isolation=read\ committed"
"""Settings of our connections, whatever the defaults of the server are."""


def own_url(url: str) -> str:
    """The URL with ``OPTIONS``, for libraries that create their own connections."""
    parsed = normalise_url(url)
    return libpq_url(parsed.update_query_dict({"options": with_options(parsed, OPTIONS)}))


def with_options(url: sa.URL | str, options: str) -> str:
    """Our ``options`` for a connection, followed by those of the URL, which take precedence."""
    parsed = normalise_url(url) if isinstance(url, str) else url
    return " ".join([options, *_all(parsed.query.get("options", ()))])


def display_url(url: sa.URL | str) -> str:
    """The address for messages: host, port and database, without user or password."""
    parsed = normalise_url(url) if isinstance(url, str) else url
    host = parsed.host or parsed.query.get("host") or "the local socket"
    shown = ", ".join(host) if isinstance(host, tuple) else host
    port = f":{parsed.port}" if parsed.port else ""
    return f"{shown}{port}/{parsed.database}"


def _invalid(message: str) -> Invalid:
    return Invalid(
        message,
        code="database_url_invalid",
        hint="Set COMBINE_DATABASE_URL to postgresql://USER:PASSWORD@HOST:5432/DATABASE; "
        "in the password, escape the characters @ : / ? # as %40 %3A %2F %3F %23.",
    )
