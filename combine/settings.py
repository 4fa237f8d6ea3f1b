"""One frozen Settings object, read once from the environment (prefix ``COMBINE_``)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
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
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from combine.errors import Invalid
from combine.formats import is_storable

_PREFIX = "COMBINE_"
# Used by smoke tests; set by Kubernetes for services whose names begin with "combine".
_FOREIGN = re.compile(r"COMBINE_(SMOKE_\w+|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT_\d+_\w+)")
_LINK = re.compile(r"(tcp|udp|sctp)://.+")
_OIDC_NAME = "(key)"
_KNOWN_OIDC = frozenset({"google", "microsoft"})
_PRICE_LIMIT = 1_000_000
"""USD per million tokens; no model is that expensive."""
PositiveInt = Annotated[int, Field(ge=1)]


def _duration(value: object, parse: ValidatorFunctionWrapHandler) -> timedelta:
    """A plain number is seconds; pydantic parses anything else (ISO 8601, ``HH:MM:SS``). Raises ValueError."""
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


Duration = Annotated[timedelta, WrapValidator(_duration)]


def _names(value: object) -> object:
    """Split ``a, b``."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""A comma-separated list."""


def _json(value: object) -> object:
    """Parse JSON. Raises ValueError, whose message does not contain the input."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            msg = "must be valid JSON"
            raise ValueError(msg) from None
    return value


FromJson = BeforeValidator(_json)
"""With ``NoDecode``, so that invalid JSON is reported together with the other errors."""


def _domains(value: object) -> object:
    """A JSON list or ``a, b``; in lower case, without a leading @."""
    if isinstance(value, str):
        value = _json(value) if value.lstrip().startswith("[") else _names(value)
    return [one.strip().lower().removeprefix("@") if isinstance(one, str) else one for one in value or ()]  # type: ignore[attr-defined]


def _matches(pattern: str, message: str) -> AfterValidator:
    """Require a pattern; the error shows ``message`` instead of the pattern."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


def _network(text: str) -> str:
    """Raises ValueError."""
    try:
        ip_network(text)
    except ValueError:
        msg = "must be an IP address or network, such as 10.0.0.5 or 10.0.0.0/8; 0.0.0.0/0 and ::/0 mean all"
        raise ValueError(msg) from None
    return text


def _host(text: str) -> str:
    """Raises ValueError."""
    with suppress(ValueError):
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    if not re.fullmatch(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", text.lower()):
        msg = "must be a host name without https:// and port, such as combine.example.org"
        raise ValueError(msg)
    return text


Domain = Annotated[
    str, _matches(r"\*|[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "must be a domain, such as example.org, or * for any")
]
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
    _matches(r"[!-?A-~]+@[A-Za-z0-9.-]+", "must be an e-mail address, such as ada@example.org"),
]
PerMillion = Annotated[Decimal, Field(ge=0, lt=_PRICE_LIMIT)]


def _public_url(text: str) -> str:
    """An origin without a trailing slash. Raises ValueError."""
    url = urlsplit(text.strip())
    _ = url.port  # raises ValueError for an invalid port
    if url.scheme not in {"http", "https"} or not url.hostname or url.username is not None:
        msg = "must be an http or https URL, such as https://combine.example.org"
        raise ValueError(msg)
    if url.path.strip("/") or url.query or url.fragment:
        msg = "must not have a path: the server must be at the root of its host"
        raise ValueError(msg)
    return f"{url.scheme}://{url.netloc.lower()}"


def _text_path(path: Path) -> Path:
    """The path is part of the database's URL, which must be text. Raises ValueError."""
    _require_text(str(path))
    return path


def _require_text(value: object) -> None:
    """Raises ValueError for text that is not UTF-8 or has control characters."""
    if isinstance(value, str) and not is_storable(value):
        msg = "must be UTF-8 text without control characters"
        raise ValueError(msg)


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_public_url(text) for text in texts)


def _base_url(text: str) -> str:
    """A provider's URL, which may contain a user and password. Raises ValueError, which does not contain the URL."""
    text = text.strip()
    authority = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]
    if text.count("@") > 1 or ("@" in text and "@" not in authority):
        msg = "has an unescaped @; in a password or path, write @ : / ? # as %40 %3A %2F %3F %23"
        raise ValueError(msg)
    return text


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class PriceOverride(BaseModel):
    """USD per million tokens of one model, if the price list is wrong or does not contain it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: PerMillion
    output: PerMillion
    cache_read: PerMillion | None = None
    cache_write: PerMillion | None = None


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
    def _known_or_named(cls, issuer: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if name in _KNOWN_OIDC:
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


def _issuer(text: str) -> str:
    """An https URL, or an http URL of this machine. Raises ValueError."""
    url = urlsplit(text.strip())
    _ = url.port
    local = url.scheme == "http" and url.hostname in {"localhost", "127.0.0.1", "::1"}
    if not (local or url.scheme == "https") or not url.hostname or url.username is not None:
        msg = "must be an https URL, such as https://login.example.org; http is allowed only for this machine"
        raise ValueError(msg)
    if url.query or url.fragment:
        msg = "must not have a query or fragment"
        raise ValueError(msg)
    return url.geturl()


def _add_names(value: object) -> object:
    """Add the key of each provider to its value, which is validated by it."""
    if not isinstance(value, dict):
        return value
    return {key: {**one, _OIDC_NAME: key} if isinstance(one, dict) else one for key, one in value.items()}


def default_data_dir() -> Path:
    """The user's data folder; for root ``/var/lib/combine``.

    PostgreSQL refuses to run as root, so root's server runs as another user, who cannot access root's home.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/combine")
    return user_data_path("combine", appauthor=False)


def _alias(name: str, *others: str) -> AliasChoices:
    return AliasChoices(f"COMBINE_{name}", *others)


class Settings(BaseSettings):
    """Every setting. ``docs/configuration.md`` documents each; a test compares them."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: SecretStr | None = None
    """A PostgreSQL URL. None: the embedded server in ``data_dir``."""
    database_pool_size: PositiveInt = 10
    data_dir: Annotated[Path, AfterValidator(_text_path)] = Field(default_factory=default_data_dir)
    """The data folder of the embedded server."""
    workflows_dir: Path | None = None
    """Your own folder with ``workflows/``, ``prompts/`` and ``schemas/``."""

    llm_default_model: str = "claude-sonnet-5-5"
    """``PROVIDER:MODEL``; a plain ID means ``anthropic:``; ``offline`` uses no language model."""
    llm_max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    llm_enable_caching: bool = True
    llm_max_output_tokens: PositiveInt = 32_000
    llm_connect_timeout: Duration = timedelta(seconds=5)
    llm_read_timeout: Duration = timedelta(seconds=120)
    """The longest pause within a stream; a busy local model can take minutes for its first token."""
    llm_retry_after_cap: Duration = timedelta(seconds=60)
    llm_concurrency: Annotated[
        dict[Literal["anthropic", "openai", "offline", "scripted"], PositiveInt], NoDecode, FromJson
    ] = Field(default_factory=dict)
    """JSON: ``{"anthropic": 8}``, concurrent calls per provider in one process; others have no limit."""
    llm_prices: Annotated[dict[str, PriceOverride], NoDecode, FromJson] = Field(default_factory=dict)
    """JSON: ``{"my-model": {"input": 0.5, "output": 1.5}}``, USD per million tokens."""
    daily_budget_usd: Annotated[Decimal, Field(gt=0, le=9_999_999, decimal_places=6, allow_inf_nan=False)] | None = None
    """The most the whole installation may spend per day (UTC); within the limits of ``services/amounts.py``."""
    anthropic_api_key: SecretStr | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY")
    )
    anthropic_base_url: BaseUrl | None = Field(
        default=None, validation_alias=_alias("ANTHROPIC_BASE_URL", "ANTHROPIC_BASE_URL")
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias=_alias("OPENAI_API_KEY", "OPENAI_API_KEY"))
    openai_base_url: BaseUrl | None = Field(default=None, validation_alias=_alias("OPENAI_BASE_URL", "OPENAI_BASE_URL"))
    scripted_file: Path | None = None
    """Replies of the ``scripted`` provider, for tests and demonstrations."""

    worker_concurrency: PositiveInt = 64
    """Executions that one process runs concurrently."""
    drain_grace: Duration = timedelta(seconds=30)
    """How long a stopping process waits for calls in flight."""

    # A remote server for commands.
    server: str | None = None
    """Its URL; None: commands open the database and run executions in their own process."""
    token: SecretStr | None = None
    """A personal access token of that server."""

    # The server: `combine serve`.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    """The URL that users open; None: ``http://HOST:PORT``."""
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_names)] = (
        "localhost",
        "127.0.0.1",
        "::1",
    )
    """In addition to the host of the public URL."""
    cors_origins: Annotated[Names, AfterValidator(_origins)] = ()
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_names)
    ] = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto headers are trusted."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    body_timeout: Duration = timedelta(seconds=15)
    """How long a request body may take to arrive."""
    request_timeout: Duration = timedelta(seconds=30)
    """How long a request may take in total; event streams have no limit."""
    rate_limit_sign_in: RateLimit = "20/minute"
    rate_limit_starts: RateLimit = "60/minute"
    rate_limit_tokens: RateLimit = "20/hour"
    enable_metrics: bool = True

    # Sign-in.
    oidc_providers: Annotated[dict[str, OidcProvider], NoDecode, BeforeValidator(_add_names), FromJson] = Field(
        default_factory=dict
    )
    """JSON: ``{"google": {"client_id": "...", "client_secret": "..."}}``. Empty: local mode."""
    oidc_allowed_domains: Annotated[tuple[Domain, ...], NoDecode, BeforeValidator(_domains)] = Field(
        default=(), validate_default=True
    )
    """The domains of the e-mail addresses that may sign in; ``*``: any."""
    bootstrap_admin: AdminEmail | None = None
    """The verified address that becomes admin when it signs in, while there is no admin."""
    session_idle: Duration = timedelta(hours=12)
    """How long an unused session stays valid."""
    session_lifetime: Duration = timedelta(days=7)
    """How long a session stays valid, even if it is used."""

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @field_validator("*")
    @classmethod
    def _text(cls, value: Any) -> Any:
        _require_text(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return value

    @field_validator("oidc_allowed_domains")
    @classmethod
    def _needed_with_providers(cls, domains: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("oidc_providers") and not domains:
            msg = "required with COMBINE_OIDC_PROVIDERS: the domains that may sign in, such as example.org; * for any"
            raise ValueError(msg)
        return domains

    @field_validator("session_lifetime")
    @classmethod
    def _not_below_idle(cls, lifetime: timedelta, info: ValidationInfo) -> timedelta:
        if lifetime < info.data.get("session_idle", lifetime):
            msg = "must not be shorter than COMBINE_SESSION_IDLE"
            raise ValueError(msg)
        return lifetime

    def secret_texts(self) -> list[str]:
        """Every secret in plain text: what must not appear in logs, responses and files."""
        values = [getattr(self, name) for name in type(self).model_fields]
        values += [provider.client_secret for provider in self.oidc_providers.values()]
        return [text for value in values if isinstance(value, SecretStr) and (text := value.get_secret_value())]


def read_settings() -> Settings:
    """The settings of this process. Raises Invalid that lists all errors at once."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for one in error.errors(include_url=False, include_input=False):
            name = str(one["loc"][0]) if one["loc"] else "settings"
            variable = _as_set(name) if name.isupper() else f"COMBINE_{name.upper()}"
            where = "".join(f".{part}" for part in one["loc"][1:])
            lines.append(f"{variable}{where}: {one['msg'].removeprefix('Value error, ')}")
        lines += [unknown_setting(name, near) for name, near in unknown_variables(os.environ).items()]
        raise Invalid(
            "Invalid settings:\n  " + "\n  ".join(lines),
            code="settings_invalid",
            hint="Correct these environment variables; `combine doctor` shows the effective values.",
        ) from None


def _as_set(name: str) -> str:
    """The variable that is actually set, of the alternatives for ``name``."""
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices) and name in alias.choices:
            return next((one for one in map(str, alias.choices) if os.environ.get(one)), name)
    return name


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables with our prefix that are not settings, each with the most similar setting, if there is one."""
    endings = [one.removeprefix(_PREFIX) for one in _variables() if one.startswith(_PREFIX)]
    found = {}
    for name, value in sorted(environment.items()):
        upper = name.upper()
        ending = upper.removeprefix(_PREFIX)
        if not value or not name.isidentifier() or ending == upper or ending in endings:
            continue
        foreign = _FOREIGN.fullmatch(upper) or (ending.endswith("_PORT") and _LINK.fullmatch(value))
        if not foreign:
            near = get_close_matches(ending, endings, n=1)
            found[name] = _PREFIX + near[0] if near else None
    return found


def unknown_setting(name: str, near: str | None) -> str:
    """A message about an unknown variable, without its value, which may be a secret."""
    return f"{name}: unknown setting" + ("" if near is None else f"; did you mean {near}?")


def _variables() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            yield from map(str, field.validation_alias.choices)
        else:
            yield f"{_PREFIX}{name.upper()}"
