"""Types of settings: how the text of a variable becomes a value, and what makes it invalid.

Validators raise ValueError. Its message never contains the value, which may be a secret.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_settings import NoDecode

from combine.formats import is_storable

_OIDC_NAME = "(key)"
_BUILT_IN_OIDC = frozenset({"google", "microsoft"})
_PRICE_LIMIT = 1_000_000
"""USD per million tokens; no model is that expensive."""


def require_text(value: object) -> None:
    """Raises ValueError for text that is not UTF-8 or has control characters."""
    if isinstance(value, str) and not is_storable(value):
        msg = "must be UTF-8 text without control characters"
        raise ValueError(msg)


def _split(value: object) -> object:
    """``a, b`` as a tuple."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _parse_json(value: object) -> object:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            msg = "must be valid JSON"
            raise ValueError(msg) from None
    return value


def _split_domains(value: object) -> object:
    """A JSON list or ``a, b``; in lower case, without a leading @."""
    if isinstance(value, str):
        value = _parse_json(value) if value.lstrip().startswith("[") else _split(value)
    return [one.strip().lower().removeprefix("@") if isinstance(one, str) else one for one in value or ()]  # type: ignore[attr-defined]


def _duration(value: object, parse: ValidatorFunctionWrapHandler) -> timedelta:
    """A plain number is seconds; pydantic parses anything else (ISO 8601, ``HH:MM:SS``)."""
    with suppress(ValueError):
        value = float(value) if isinstance(value, str) else value
    try:
        found: timedelta = parse(value)
    except ValidationError:
        msg = "must be a duration in seconds, such as 30, or in ISO 8601, such as PT5M"
        raise ValueError(msg) from None
    if found <= timedelta(0):
        msg = "must be greater than 0"
        raise ValueError(msg)
    return found


def _text_path(path: Path) -> Path:
    """For a path that becomes part of a URL, and so must be text."""
    require_text(str(path))
    return path


def _matches(pattern: str, message: str) -> AfterValidator:
    """Require a pattern; the error shows ``message`` instead of the pattern."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        msg = "must be an IP address or network, such as 10.0.0.5 or 10.0.0.0/8; 0.0.0.0/0 and ::/0 mean all"
        raise ValueError(msg) from None
    return text


def _host(text: str) -> str:
    with suppress(ValueError):
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    if not re.fullmatch(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", text.lower()):
        msg = "must be a host name without https:// and port, such as combine.example.org"
        raise ValueError(msg)
    return text


def _origin(text: str) -> str:
    """Scheme, host and port, without a trailing slash."""
    url = urlsplit(text.strip())
    _ = url.port  # raises ValueError for an invalid port
    if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None:
        msg = "must be an http or https URL, such as https://combine.example.org"
        raise ValueError(msg)
    if url.path.strip("/") or url.query or url.fragment:
        msg = "must not have a path: the server must be at the root of its host"
        raise ValueError(msg)
    return f"{url.scheme}://{url.netloc.lower()}"


def _base_url(text: str) -> str:
    """A provider's URL, which may contain a user and password."""
    text = text.strip()
    authority = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]
    if text.count("@") > 1 or ("@" in text and "@" not in authority):
        msg = "has an unescaped @; in a password or path, write @ : / ? # as %40 %3A %2F %3F %23"
        raise ValueError(msg)
    return text


_FROM_JSON = BeforeValidator(_parse_json)
"""With ``NoDecode``, so that invalid JSON is reported together with the other errors."""

PositiveInt = Annotated[int, Field(ge=1)]
Duration = Annotated[timedelta, WrapValidator(_duration)]
DailyBudget = Annotated[Decimal, Field(gt=0, le=9_999_999, decimal_places=6, allow_inf_nan=False)]
"""Within the limits of ``services/amounts.py``."""
TextPath = Annotated[Path, AfterValidator(_text_path)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Origins = Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split)]
Domain = Annotated[
    str, _matches(r"\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "must be a domain, such as example.org, or * for any")
]
Domains = Annotated[tuple[Domain, ...], NoDecode, BeforeValidator(_split_domains)]
RateLimit = Annotated[
    str,
    _matches(
        r"[1-9][0-9]{0,5}/(second|minute|hour|day)",
        "must be a number per second, minute, hour or day, such as 60/minute",
    ),
]
AdminEmail = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True),
    _matches(r"[!-?A-~]+@[A-Za-z0-9.-]+", "must be an email address, such as ada@example.org"),
]
Concurrency = Annotated[dict[Literal["anthropic", "openai", "offline", "scripted"], PositiveInt], NoDecode, _FROM_JSON]
PerMillion = Annotated[Decimal, Field(ge=0, lt=_PRICE_LIMIT)]


class PriceOverride(BaseModel):
    """USD per million tokens of one model, if the price list is wrong or does not contain it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: PerMillion
    output: PerMillion
    cache_read: PerMillion | None = None
    cache_write: PerMillion | None = None


Prices = Annotated[dict[str, PriceOverride], NoDecode, _FROM_JSON]


def _issuer(text: str) -> str:
    """An https URL, or an http URL of this machine."""
    url = urlsplit(text.strip())
    _ = url.port  # raises ValueError for an invalid port
    local = url.scheme == "http" and url.hostname in {"localhost", "127.0.0.1", "::1"}
    if not (local or url.scheme == "https") or not url.hostname or url.username is not None:
        msg = "must be an https URL, such as https://login.example.org; http is allowed only for this machine"
        raise ValueError(msg)
    if url.query or url.fragment:
        msg = "must not have a query or fragment"
        raise ValueError(msg)
    return url.geturl()


class OidcProvider(BaseModel):
    """One identity provider. ``google`` and ``microsoft`` are built in; any other requires ``issuer``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str,
        _matches(
            r"[a-z][a-z0-9-]{0,31}",
            "must be at most 32 lower-case letters, digits and -, starting with a letter, such as my-company",
        ),
    ] = Field(validation_alias=_OIDC_NAME)
    """The provider's key; not a field of the JSON."""
    client_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    client_secret: SecretStr | None = None
    """None: a public client, protected by PKCE only."""
    issuer: str | None = Field(default=None, validate_default=True)
    tenant: Annotated[str, _matches(r"[A-Za-z0-9.-]+", "must be a tenant ID or domain, such as example.org")] | None = (
        None
    )
    label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = None
    scopes: tuple[str, ...] | None = None
    trust_email: bool | None = None

    @field_validator("name")
    @classmethod
    def _not_local(cls, name: str) -> str:
        if name == "local":
            msg = "is reserved for local mode; choose another name"
            raise ValueError(msg)
        return name

    @field_validator("issuer")
    @classmethod
    def _issuer_unless_built_in(cls, issuer: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name in _BUILT_IN_OIDC:
            if issuer is not None:
                msg = f"must be omitted for {name}, whose issuer is built in; or choose another name"
                raise ValueError(msg)
            return None
        if issuer is None:
            msg = "required, such as https://login.example.org"
            raise ValueError(msg)
        return _issuer(issuer)

    @field_validator("tenant")
    @classmethod
    def _microsoft_only(cls, tenant: str | None, info: ValidationInfo) -> str | None:
        if tenant is not None and info.data.get("name") != "microsoft":
            msg = "is only allowed for microsoft"
            raise ValueError(msg)
        return tenant


def _add_names(value: object) -> object:
    """Add the key of each provider to its value, which is validated by it."""
    if not isinstance(value, dict):
        return value
    return {key: {**one, _OIDC_NAME: key} if isinstance(one, dict) else one for key, one in value.items()}


OidcProviders = Annotated[dict[str, OidcProvider], NoDecode, BeforeValidator(_add_names), _FROM_JSON]
